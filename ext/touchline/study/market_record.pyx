# cython: language_level=3
"""Market records for Python: RECORD and its constants, from market_record.h.

RECORD is gapless and no field lies over another, so that numpy, pandas and Arrow save, join and
convert it without loss. docs/data.md explains every field.
"""

import enum

import numpy as np

cimport numpy as cnp

cnp.import_array()

cdef tl_market_record _record


cdef size_t _at(void *member):
    return <char *>member - <char *>&_record


_FIELDS = [
    ("ts_ns", "<i8", _at(&_record.ts_ns)),
    ("seq", "<u8", _at(&_record.seq)),
    ("order_ref", "<u8", _at(&_record.order_ref)),
    ("new_ref", "<u8", _at(&_record.new_ref)),
    ("price", "<i8", _at(&_record.price)),
    ("qty", "<i8", _at(&_record.qty)),
    ("instrument", "<u4", _at(&_record.instrument)),
    ("type", "u1", _at(&_record.type)),
    ("side", "u1", _at(&_record.side)),
    ("code", "u1", _at(&_record.code)),
    ("flags", "u1", _at(&_record.flags)),
    ("symbol", f"S{TL_RECORD_SYMBOL_BYTES}", _at(&_record.symbol)),
]
RECORD = np.dtype({
    "names": [name for name, _, _ in _FIELDS],
    "formats": [kind for _, kind, _ in _FIELDS],
    "offsets": [offset for _, _, offset in _FIELDS],
    "itemsize": sizeof(tl_market_record),
})
PRICE_SCALE = TL_PRICE_SCALE


def _members(wanted):
    return {
        tl_record_constants[i].name.decode(): tl_record_constants[i].value
        for i in range(tl_record_constants_count)
        if tl_record_constants[i].set.decode() == wanted
    }


def _enum(name, wanted, doc, base):
    made = base(name, _members(wanted), module=__name__)
    made.__doc__ = doc
    return made


RecordType = _enum("RecordType", "RECORD_TYPE", "What a record tells of.", enum.IntEnum)
RecordFlag = _enum("RecordFlag", "RECORD_FLAG", "Bits of a record's flags.", enum.IntFlag)

# Held here because a look-up by name costs as much as many records.
cdef object _dtype = RECORD


cdef const tl_market_record *records_of(cnp.ndarray records) except NULL:
    """The records of a one-dimensional contiguous array of RECORD. Raises ValueError."""
    descr = <object>cnp.PyArray_DESCR(records)
    if (descr is not _dtype and descr != _dtype) or cnp.PyArray_NDIM(records) != 1:
        raise ValueError("records must be a one-dimensional array of dtype RECORD")
    if not cnp.PyArray_IS_C_CONTIGUOUS(records):
        raise ValueError("records must be contiguous")
    return <const tl_market_record *>cnp.PyArray_DATA(records)
