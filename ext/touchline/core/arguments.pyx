# cython: language_level=3
"""The checks of arguments.pxd for Python code, which refuses as the shells do."""

from libc.stdint cimport INT64_MAX


def checked_whole(value, name, low=0, high=INT64_MAX):
    """`value` as an int from `low` to `high`, both within 64 bits with a sign.

    Raises TypeError for a float, a bool and all else that is no whole number, OverflowError for a
    number out of range; both name the argument.
    """
    return whole(value, name, low, high)


def checked_side(value):
    """A Side or its number as an int; TypeError for no whole number, ValueError for another."""
    return side_of(value)


def checked_seconds(value, name, most=1e9):
    """A number of seconds from 0 to `most`; TypeError or ValueError, also for nan and infinity."""
    seconds_in_ns(value, name, most)
    return float(value)
