# cython: language_level=3
"""The vocabulary for Python: numpy dtypes and enums, all taken from messages.h at import.

Nothing is written twice: the dtypes' offsets come from the C structs, the members of each enum from
the C tables. docs/messages.md explains every field.

COMMAND and EVENT are gapless and no field lies over another, so that numpy, pandas and Arrow save,
join and convert them without loss. Where C has a union, the other reading is a dtype of its own,
of the same 64 bytes: COMMAND_TEXT, EVENT_TRADE, EVENT_REFUSAL.
"""

import enum
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from libc.string cimport memset

from touchline.core.arguments cimport index_of, natural, whole

cdef tl_command _command
cdef tl_event _event
cdef tl_level_view _level
cdef tl_order_view _order


cdef size_t _at(void *base, void *member):
    return <char *>member - <char *>base


def _dtype(size_t itemsize, fields):
    names, formats, offsets, titles = zip(*[(*field, None)[:4] for field in fields])
    layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": itemsize}
    return np.dtype(layout | {"titles": titles} if any(titles) else layout)


_COMMAND_HEAD = [
    ("seq", "<u8", _at(&_command, &_command.seq)),
    ("ts_ns", "<i8", _at(&_command, &_command.ts_ns)),
]
_COMMAND_TAIL = [
    ("type", "u1", _at(&_command, &_command.type)),
    ("side", "u1", _at(&_command, &_command.side)),
    ("field", "u1", _at(&_command, &_command.field)),
    ("flags", "u1", _at(&_command, &_command.flags)),
]

COMMAND = _dtype(sizeof(tl_command), _COMMAND_HEAD + [
    ("order_id", "<u8", _at(&_command, &_command.order_id)),
    ("cl_ord_id", "<u8", _at(&_command, &_command.cl_ord_id)),
    ("price", "<i8", _at(&_command, &_command.price)),
    ("qty", "<i8", _at(&_command, &_command.qty)),
    ("account", "<u4", _at(&_command, &_command.account)),
    ("checksum", "<u4", _at(&_command, &_command.checksum)),
    ("instrument", "<u2", _at(&_command, &_command.instrument)),
    ("ord_type", "u1", _at(&_command, &_command.ord_type)),
    ("time_in_force", "u1", _at(&_command, &_command.time_in_force)),
] + _COMMAND_TAIL)

COMMAND_TEXT = _dtype(sizeof(tl_command), _COMMAND_HEAD + [
    ("text", f"S{TL_TEXT_BYTES}", _at(&_command, &_command.order_id)),
    ("checksum", "<u4", _at(&_command, &_command.checksum)),
    ("key", "<u4", _at(&_command, &_command.key)),
] + _COMMAND_TAIL)

_EVENT_HEAD = [
    ("seq", "<u8", _at(&_event, &_event.seq)),
    ("ts_ns", "<i8", _at(&_event, &_event.ts_ns)),
    ("order_id", "<u8", _at(&_event, &_event.order_id)),
]
_EVENT_QTYS = [
    ("qty", "<u4", _at(&_event, &_event.qty)),
    ("leaves_qty", "<u4", _at(&_event, &_event.leaves_qty)),
]
_EVENT_TAIL = [
    ("account", "<u4", _at(&_event, &_event.account)),
    ("contra_account", "<u4", _at(&_event, &_event.contra_account)),
    ("instrument", "<u2", _at(&_event, &_event.instrument)),
    ("ord_type", "u1", _at(&_event, &_event.ord_type)),
    ("time_in_force", "u1", _at(&_event, &_event.time_in_force)),
    ("exec_type", "u1", _at(&_event, &_event.exec_type)),
    ("side", "u1", _at(&_event, &_event.side)),
    ("reason", "u1", _at(&_event, &_event.reason)),
    ("flags", "u1", _at(&_event, &_event.flags)),
]

# A union of two numbers of one type is one field with a title, numpy's word for a second name.
EVENT = _dtype(sizeof(tl_event), _EVENT_HEAD + [
    ("cl_ord_id", "<u8", _at(&_event, &_event.cl_ord_id), "contra_order_id"),
    ("price", "<i8", _at(&_event, &_event.price), "value"),
] + _EVENT_QTYS + _EVENT_TAIL)

EVENT_TRADE = _dtype(sizeof(tl_event), _EVENT_HEAD + [
    ("contra_order_id", "<u8", _at(&_event, &_event.contra_order_id)),
    ("price", "<i8", _at(&_event, &_event.price)),
] + _EVENT_QTYS + _EVENT_TAIL)

EVENT_REFUSAL = _dtype(sizeof(tl_event), _EVENT_HEAD + [
    ("cl_ord_id", "<u8", _at(&_event, &_event.cl_ord_id)),
    ("value", "<i8", _at(&_event, &_event.value)),
    ("limit", "<i8", _at(&_event, &_event.limit)),
] + _EVENT_TAIL)

LEVEL = _dtype(sizeof(tl_level_view), [
    ("price", "<i8", _at(&_level, &_level.price)),
    ("qty", "<u8", _at(&_level, &_level.qty)),
    ("orders", "<u4", _at(&_level, &_level.orders)),
])

ORDER = _dtype(sizeof(tl_order_view), [
    ("order_id", "<u8", _at(&_order, &_order.order_id)),
    ("price", "<i8", _at(&_order, &_order.price)),
    ("leaves_qty", "<u4", _at(&_order, &_order.leaves_qty)),
    ("order_qty", "<u4", _at(&_order, &_order.order_qty)),
    ("account", "<u4", _at(&_order, &_order.account)),
    ("instrument", "<u2", _at(&_order, &_order.instrument)),
    ("side", "u1", _at(&_order, &_order.side)),
    ("time_in_force", "u1", _at(&_order, &_order.time_in_force)),
    ("shown_qty", "<u4", _at(&_order, &_order.shown_qty)),
    ("display_qty", "<u4", _at(&_order, &_order.display_qty)),
    ("stop_price", "<u4", _at(&_order, &_order.stop_price)),
    ("ord_type", "u1", _at(&_order, &_order.ord_type)),
    ("flags", "u1", _at(&_order, &_order.flags)),
    ("waiting", "u1", _at(&_order, &_order.waiting)),
    ("all_or_none", "u1", _at(&_order, &_order.all_or_none)),
    ("expire_ns", "<i8", _at(&_order, &_order.expire_ns)),
])


class _Constant(enum.IntEnum):
    """A constant with its FIX wire character."""

    @property
    def fix(self):
        """The value as FIX writes it: the character, or a decimal number where there is none."""
        return chr(self.value) if 32 < self.value < 127 else str(self.value)


def _members(wanted):
    return {
        tl_constants[i].name.decode(): tl_constants[i].value
        for i in range(tl_constants_count)
        if tl_constants[i].set.decode() == wanted
    }


def _enum(name, wanted, doc, base=_Constant):
    made = base(name, _members(wanted), module=__name__)
    made.__doc__ = doc
    return made


MsgType = _enum("MsgType", "MSG_TYPE", "What a command asks for: MsgType(35).")
Side = _enum("Side", "SIDE", "Side(54).")
OrdType = _enum("OrdType", "ORD_TYPE", "OrdType(40).")
TimeInForce = _enum("TimeInForce", "TIME_IN_FORCE", "TimeInForce(59).")
ExecType = _enum("ExecType", "EXEC_TYPE", "What an event reports: ExecType(150).")
TradingStatus = _enum("TradingStatus", "TRADING_STATUS", "SecurityTradingStatus(326).",
                      enum.IntEnum)
EntryStatus = _enum("EntryStatus", "ENTRY_STATUS", "May an account, or anybody, enter orders?",
                    enum.IntEnum)
SelfTrade = _enum("SelfTrade", "SELF_TRADE", "What becomes of two orders of one account that meet.",
                  enum.IntEnum)
Allocation = _enum("Allocation", "ALLOCATION", "A step of how trades at one price are shared.",
                   enum.IntEnum)
Limit = _enum("Limit", "LIMIT", "What a LIMIT command sets.", enum.IntEnum)
Text = _enum("Text", "TEXT", "What a TEXT command names.", enum.IntEnum)
Flag = _enum("Flag", "FLAG", "Bits of Event.flags.", enum.IntFlag)
More = _enum("More", "MORE", "Field of a special NEW_ORDER: do TERMS belong to it?", enum.IntEnum)
TermsFlag = _enum("TermsFlag", "TERMS_FLAG", "Bits of the flags of a TERMS command.", enum.IntFlag)
ContingencyType = _enum("ContingencyType", "CONTINGENCY",
                        "How an order is linked with another: ContingencyType(1385).", enum.IntEnum)
Reason = _enum("Reason", "REASON", "Why the answer is no.", enum.IntEnum)

PRICE_MAX = TL_PRICE_MAX
QTY_MAX = TL_QTY_MAX
LIMIT_UNSET = TL_LIMIT_UNSET
INSTRUMENT_ALL = TL_INSTRUMENT_ALL
ACCOUNT_ALL = TL_ACCOUNT_ALL
TEXT_BYTES = TL_TEXT_BYTES
GROUP_MAX = TL_GROUP_MAX
ALLOCATION_STEPS_MAX = TL_ALLOCATION_STEPS_MAX
SESSIONS_MAX = TL_SESSIONS_MAX
TEXT_LANES = TL_TEXT_LANES
BLOCK_LEVELS = TL_BLOCK_LEVELS
DISPLAY_PARTS_MAX = TL_DISPLAY_PARTS_MAX
ALL_OR_NONE_MAX = TL_ALL_OR_NONE_MAX
TRAILING_MAX = TL_TRAILING_MAX
TRAIL_BASIS_POINTS_MAX = TL_TRAIL_BASIS_POINTS_MAX
LANE_ADMIN = TL_LANE_ADMIN
LANE_FIX = TL_LANE_FIX
LANE_API = TL_LANE_API
LANE_WIRE = TL_LANE_WIRE



cdef int terms_before(tl_command *cmd, tl_command *terms, contingency, cl_ord_link_id, trail,
                      flags) except -1:
    """The TERMS that are to go before the order; 1 where there are any, and the order says so."""
    if not contingency and not cl_ord_link_id and not trail and not flags:
        return 0
    memset(terms, 0, sizeof(tl_command))
    if cmd.field:
        raise ValueError("field says that TERMS came before: this belongs into those")
    terms.type = TL_MSG_TYPE_TERMS
    terms.cl_ord_id = cmd.cl_ord_id
    terms.ts_ns = cmd.ts_ns
    terms.field = <uint8_t>whole(contingency, "contingency", 0, 0xFF)
    terms.cl_ord_link_id = natural(cl_ord_link_id, "cl_ord_link_id")
    terms.trail = <uint32_t>whole(trail, "trail", 0, 0xFFFFFFFF)
    terms.flags = <uint8_t>whole(flags, "terms_flags", 0, 0xFF)
    cmd.field = TL_MORE_TERMS
    return 1


class LimitRange(NamedTuple):
    """Whose a limit is, its unit ("ticks", "lots", "value": ticks x lots), from where to where.

    `of_account`: an account's in an instrument; else an instrument's own. `unset`: may it be
    LIMIT_UNSET?
    """

    of_account: bool
    unit: str
    lowest: int
    highest: int
    unset: bool


LIMITS = {
    Limit(tl_limit_ranges[i].limit): LimitRange(
        tl_limit_ranges[i].owner.decode() == "position",
        tl_limit_ranges[i].unit.decode(),
        tl_limit_ranges[i].lowest,
        tl_limit_ranges[i].highest,
        bool(tl_limit_ranges[i].unset),
    )
    for i in range(tl_limit_ranges_count)
}

_reasons = {
    tl_reason_texts[i].reason: (
        tl_reason_texts[i].ord_rej_reason,
        tl_reason_texts[i].cxl_rej_reason,
        tl_reason_texts[i].text.decode(),
    )
    for i in range(tl_reason_texts_count)
}


def _row(reason):
    try:
        return _reasons[reason]
    except (KeyError, TypeError):
        raise ValueError(f"{reason!r} is no Reason") from None


def ord_rej_reason(reason):
    """OrdRejReason(103) of a Reason; ValueError for a number that is none, as of those below."""
    return _row(reason)[0]


def cxl_rej_reason(reason):
    """CxlRejReason(102) of a Reason."""
    return _row(reason)[1]


def reason_text(reason, value=0, limit=0):
    """A Reason in words, with the value refused and the bound it broke, both in ticks and lots."""
    return _row(reason)[2].format(value=value, limit=limit)


def text_commands(commands):
    """The TEXT commands among `commands`, dtype COMMAND, as COMMAND_TEXT; a copy."""
    return commands[commands["type"] == int(MsgType.TEXT)].view(COMMAND_TEXT)


def trades(events):
    """The TRADE events among `events`, dtype EVENT, as EVENT_TRADE; a copy."""
    return events[events["exec_type"] == int(ExecType.TRADE)].view(EVENT_TRADE)


def refusals(events):
    """The refusals among `events`, dtype EVENT: REJECTED and CANCEL_REJECTED, as EVENT_REFUSAL.

    A copy. `value` is what was refused and `limit` the bound it broke, as the reason says.
    """
    refused = (int(ExecType.REJECTED), int(ExecType.CANCEL_REJECTED))
    return events[np.isin(events["exec_type"], refused)].view(EVENT_REFUSAL)


def _overlaid(name):
    """The fields of COMMAND whose bytes a field of COMMAND_TEXT has."""
    form, start = COMMAND_TEXT.fields[name][:2]
    end = start + form.itemsize
    return {other for other in COMMAND.names if start <= COMMAND.fields[other][1] < end}


_OVERLAID = {name: _overlaid(name) for name in ("text", "key")}


def make_commands(rows):
    """Rows of field names and values as commands, shape (n,), dtype COMMAND; what is unnamed is 0.

    The names are those of COMMAND and, for a TEXT command, `text` (str or bytes, at most 36 in
    UTF-8) and `key`, which lie where a command's other fields do. Raises ValueError for another
    name, for two names of the same bytes or a text that is too long, OverflowError for a number out
    of its field's range, TypeError for one that is not whole.
    """
    rows = list(rows)
    commands = np.zeros(len(rows), COMMAND)
    texts = commands.view(COMMAND_TEXT)
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"row {i} is {row!r}, not field names and values")
        for name in _OVERLAID.keys() & row.keys():
            for other in row:
                if other in _OVERLAID[name]:
                    raise ValueError(f"row {i}: {name!r} and {other!r} are the same bytes")
        for name, value in row.items():
            if name == "text":
                texts[name][i] = _text_bytes(value)
            elif name in COMMAND.names or name == "key":
                records = texts if name == "key" else commands
                records[name][i] = _number(name, value, records.dtype.fields[name][0])
            else:
                raise ValueError(f"a command has no field {name!r}")
    return commands


def _text_bytes(text):
    if not isinstance(text, (str, bytes)):
        raise TypeError(f"text is {text!r}, neither str nor bytes")
    taken = text.encode() if isinstance(text, str) else text
    if len(taken) > TL_TEXT_BYTES or b"\0" in taken:
        raise ValueError(f"text {text!r} has a NUL, or more than {TL_TEXT_BYTES} bytes in UTF-8")
    return taken


def _number(name, value, form):
    bounds = np.iinfo(form)
    number = index_of(value, name)
    if not bounds.min <= number <= bounds.max:
        raise OverflowError(f"{name} {number} is outside {bounds.min} to {bounds.max}")
    return number
