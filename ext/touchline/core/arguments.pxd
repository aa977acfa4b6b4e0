# cython: language_level=3
"""What a call is given, checked: whole numbers, sides, seconds, paths; refused by name.

For every shell; inline, because a check that costs a call costs as much as the command. A number is
a Python int, an IntEnum, a numpy integer or whatever else has __index__. Never a float, a Decimal
or a bool: nothing is cut or guessed.
"""

from cpython.bool cimport PyBool_Check
from cpython.long cimport PyLong_Check, PyLong_CheckExact
from cpython.number cimport PyNumber_Index
from cpython.object cimport PyObject
from libc.errno cimport ENOMEM
from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t

from touchline.core.messages cimport TL_SIDE_BUY, TL_SIDE_SELL

cdef extern from *:
    """
    /* The value of an int of one digit or two (60 bits), which nearly all are; else INT64_MIN. */
    static inline long long touchline_small_int(PyObject *number)
    {
    #if PY_VERSION_HEX >= 0x030C0000
        return PyUnstable_Long_IsCompact((PyLongObject *)number)
                   ? PyUnstable_Long_CompactValue((PyLongObject *)number)
                   : INT64_MIN;
    #else
        const digit *digits = ((PyLongObject *)number)->ob_digit;
        const Py_ssize_t count = Py_SIZE(number);
        if (count == 1)
            return (long long)digits[0];
        if (count == 2)
            return (long long)digits[0] | (long long)digits[1] << PyLong_SHIFT;
        return count == 0 ? 0 : INT64_MIN;
    #endif
    }
    """
    int64_t touchline_small_int(PyObject *number) noexcept
    int64_t PyLong_AsLongLongAndOverflow(object number, int *overflow) noexcept


cdef inline object index_of(object value, str name):
    """`value` as an int, or a TypeError that names the argument."""
    if PyBool_Check(value):
        raise TypeError(f"{name} is {value!r}, a bool; a whole number is wanted")
    if PyLong_Check(value):
        return value
    try:
        return PyNumber_Index(value)
    except TypeError:
        raise TypeError(
            f"{name} is {value!r}, a {type(value).__name__}; a whole number is wanted"
        ) from None


cdef inline int64_t other_whole(object value, str name, int64_t low, int64_t high) except? -1:
    """whole() of what is no plain, small int."""
    cdef int64_t taken
    cdef int overflow = 0
    if PyLong_Check(value) and not PyBool_Check(value):
        taken = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow == 0 and low <= taken <= high:
            return taken
    cdef object number = index_of(value, name)
    if not low <= number <= high:
        raise OverflowError(f"{name} {number} is outside {low} to {high}")
    return number


cdef inline int64_t whole(object value, str name, int64_t low, int64_t high) except? -1:
    """A whole number from `low` to `high`. Raises TypeError and OverflowError by name."""
    cdef int64_t number
    if PyLong_CheckExact(value) or (PyLong_Check(value) and not PyBool_Check(value)):
        number = touchline_small_int(<PyObject *>value)
        if low <= number <= high and number != INT64_MIN:
            return number
    return other_whole(value, name, low, high)


cdef inline uint64_t other_natural(object value, str name) except? 0xFFFFFFFFFFFFFFFF:
    """natural() of what is no plain, small int."""
    cdef object number = index_of(value, name)
    if not 0 <= number <= 0xFFFFFFFFFFFFFFFF:
        raise OverflowError(f"{name} {number} is outside 0 to {0xFFFFFFFFFFFFFFFF}")
    return number


cdef inline uint64_t natural(object value, str name) except? 0xFFFFFFFFFFFFFFFF:
    """A whole number of 64 bits without a sign: order_id, cl_ord_id, seq."""
    cdef int64_t number
    if PyLong_CheckExact(value):
        number = touchline_small_int(<PyObject *>value)
        if number >= 0:
            return <uint64_t>number
    return other_natural(value, name)


cdef inline int side_of(object value) except -1:
    """A Side, as the number or the enum. Raises TypeError, or ValueError for another number."""
    cdef object number
    if PyLong_Check(value) and not PyBool_Check(value):
        if touchline_small_int(<PyObject *>value) == TL_SIDE_BUY:
            return TL_SIDE_BUY
        if touchline_small_int(<PyObject *>value) == TL_SIDE_SELL:
            return TL_SIDE_SELL
    number = index_of(value, "side")
    if number != TL_SIDE_BUY and number != TL_SIDE_SELL:
        raise ValueError(
            f"side {number} is neither Side.BUY ({TL_SIDE_BUY}) nor Side.SELL ({TL_SIDE_SELL})"
        )
    return number


cdef inline int64_t seconds_in_ns(object value, str name, double most) except -1:
    """Seconds from 0 to `most` in nanoseconds. Raises TypeError, or ValueError also for nan."""
    cdef double seconds
    import numbers
    try:
        # A numpy bool is no Number, and float() would take it.
        if PyBool_Check(value) or not isinstance(value, numbers.Number):
            raise TypeError
        seconds = float(value)
    except (TypeError, OverflowError):
        raise TypeError(f"{name} is {value!r}; a number of seconds is wanted") from None
    if not 0 <= seconds <= most:
        raise ValueError(f"{name} {value!r} is not between 0 and {most:g}")
    return <int64_t>(seconds * 1e9)


cdef inline bytes path_bytes(object path, str name):
    """A path as the system takes it. Raises TypeError, or ValueError where it holds a NUL."""
    import os
    cdef bytes taken = os.fsencode(path)
    if b"\0" in taken:
        raise ValueError(f"{name} {path!r} holds a NUL character")
    if not taken:
        raise ValueError(f"{name} is empty")
    return taken


cdef inline bint same_layout(object dtype, object wanted):
    """Has a numpy dtype the fields of another at the same places? Titles do not count."""
    cdef str name
    if dtype == wanted:
        return True
    if dtype.names != wanted.names or dtype.itemsize != wanted.itemsize:
        return False
    for name in wanted.names:
        if dtype.fields[name][:2] != wanted.fields[name][:2]:
            return False
    return True


cdef inline int check(int code, object what) except -1:
    """What the core answers as -errno, as an exception that says `what`."""
    if code == -ENOMEM:
        raise MemoryError(what)
    if code < 0:
        raise ValueError(what)
    return 0
