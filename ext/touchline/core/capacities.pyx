# cython: language_level=3
"""How much an engine can hold: the sizes by name, and the bounds that the core has for them.

An engine is opened again here, from what its pickle holds.
"""

from collections import namedtuple
from typing import NamedTuple

from touchline.core.arguments cimport index_of


_rows = [tl_capacities[i] for i in range(tl_capacities_count)]


_names = [row["name"].decode() for row in _rows]
_usual = [row["usual"] for row in _rows]


class EngineCapacities(namedtuple("EngineCapacities", _names, defaults=_usual)):
    """How much an engine can hold; a full pool refuses cleanly. Bounds in CAPACITIES."""

    __slots__ = ()


class CapacityRange(NamedTuple):
    """The least and the most an engine may be opened with, and what is counted."""

    lowest: int
    highest: int
    counts: str


CAPACITIES = {
    row["name"].decode(): CapacityRange(row["lowest"], row["highest"], row["counts"].decode())
    for row in _rows
}


cdef uint32_t capacity(object value, str name) except 0:
    cdef object number = index_of(value, name)
    lowest, highest, _ = CAPACITIES[name]
    if not lowest <= number <= highest:
        raise ValueError(
            f"engine capacities: {name} {number} is outside {lowest} to {highest}")
    return number


cdef int capacities_of(object values, tl_engine_capacities *out) except -1:
    """An EngineCapacities for the core, which has them in the same order."""
    for i, name in enumerate(CAPACITIES):
        (<uint32_t *>out)[<size_t>i] = capacity(values[i], name)
    return 0


def raised(now, named):
    """`now` with what is named in its place, None named nothing; ValueError for less than it is."""
    wanted = EngineCapacities(*[had if new is None else new for new, had in zip(named, now)])
    for name, value, least in zip(CAPACITIES, wanted, now):
        if index_of(value, name) < least:
            raise ValueError(f"engine capacities: {name} {value} is less than {least}, "
                             "which the engine has")
    return wanted


def opened_again(kind, capacities, snapshot):
    """An engine from what its pickle holds; ValueError for one that is damaged."""
    from touchline.core.engine import Engine

    if not (isinstance(kind, type) and issubclass(kind, Engine)):
        raise ValueError(f"a pickled engine is of class {kind!r}, which is no Engine")
    try:
        opened = EngineCapacities(*capacities)
    except TypeError:
        raise ValueError(f"a pickled engine has capacities {capacities!r}") from None
    if not isinstance(snapshot, bytes):
        raise ValueError(f"a pickled engine's snapshot is a {type(snapshot).__name__}, not bytes")
    engine = kind.__new__(kind, **opened._asdict())
    Engine.restore(engine, snapshot)
    return engine
