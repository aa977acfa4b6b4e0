"""Call everything the compiled modules offer with what nobody should give; run as a program.

Objects made by `__new__` alone, made and closed, made twice; every method and property of each,
with every odd value in every place. Anything may be raised; the process must live. Prints each
class and how many calls it took, so that a test sees none was left out.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from touchline.core.answer import Answer
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, EVENT
from touchline.instruments import Instrument
from touchline.market.entry import OrderEntry
from touchline.market.listing import Listing
from touchline.market.record import Record
from touchline.runtime.bus import Bus
from touchline.runtime.journal import JournalReader
from touchline.runtime.runner import Runner

ONE = Decimal(1)
SMALL = EngineCapacities(2, 2, 8, 4, 4)
BUS = {"lanes": 3, "lane_slots": 64, "event_slots": 64}
# Numbers that are taken as timeouts end soon; names that are taken as paths are the test's own.
ODD: list[Any] = [
    None, -1, 0, 1, 49, 1 << 31, 1 << 70, -(1 << 70), 0.001, float("nan"), float("inf"), True,
    "", "x", "a\0b", b"b\0", "\ud800", (), [], {}, object(), int, Answer, Engine,
    np.zeros(3), np.zeros((2, 2), COMMAND), np.zeros(2, COMMAND), np.zeros(2, EVENT), np.int8(3),
]  # fmt: skip
HEAP_TYPE = 1 << 9  # set in the flags of a class that Python code defines
# These wait for others when all is well: they are called where that can not be, or with no time.
WAITING = {"run", "wait", "send"}


def attempt(call: Callable[..., Any], *values: Any) -> None:
    try:
        found = call(*values)
        if inspect.isgenerator(found):
            for _ in zip(found, range(3), strict=False):
                pass
    except Exception:
        return


def odd_arguments(count: int) -> Iterator[tuple[Any, ...]]:
    for odd in ODD:
        for taken in range(count + 1):
            yield (odd,) * taken
        for place in range(count):
            values: list[Any] = [0] * count
            values[place] = odd
            yield tuple(values)


def arity(call: Any) -> int:
    try:
        return len(
            [p for p in inspect.signature(call).parameters.values() if p.kind != p.KEYWORD_ONLY]
        )
    except (TypeError, ValueError):
        return 3


def torment(thing: Any, left_out: set[str]) -> int:
    """Every member of an object but those; how many calls that was."""
    calls = 0
    for name in dir(type(thing)):
        if name in left_out or name in ("__class__", "__del__", "__new__", "__init_subclass__"):
            continue
        try:
            member = getattr(thing, name)
        except Exception:
            calls += 1
            continue
        if callable(member):
            for values in odd_arguments(min(arity(member), 9)):
                attempt(member, *values)
                calls += 1
    for look in (repr, str, hash, len, iter, pickle.dumps):
        attempt(look, thing)
    return calls


def made(place: Path) -> Iterator[Any]:
    """One of each class as it is meant to be, then closed where it can be closed."""
    bus = Bus.create(place / "bus", **BUS)
    runner = Runner(place / "journal", bus, SMALL, segment_bytes=1 << 16)
    runner.open()
    journal = JournalReader(place / "journal")
    engine = Engine(**SMALL._asdict())
    listing = Listing(Record(engine), Instrument(0, "AAA", ONE, ONE, ""), ["ACC"])
    things = [engine, engine.answer(), listing, OrderEntry(engine), journal, bus.events(1)]
    things += [bus.lane(1), bus, runner]
    yield from things
    for thing in things:
        if hasattr(thing, "close"):
            thing.close()
    yield from things
    Path(place / "bus").unlink(missing_ok=True)


def classes() -> Iterator[Any]:
    """Every extension type of every module named."""
    for dotted in sys.argv[1:]:
        for value in vars(importlib.import_module(dotted)).values():
            if (
                isinstance(value, type)
                and value.__module__ == dotted
                and not value.__flags__ & 1 << 9
            ):
                yield value


def main() -> None:
    place = Path.cwd()
    for kind in classes():
        calls = 0
        both: list[Any] = [kind]
        with contextlib.suppress(TypeError):  # a final class has none derived from it
            both.append(type(f"Derived{kind.__name__}", (kind,), {}))
        for cls in both:
            for values in odd_arguments(3):
                attempt(cls, *values)
                attempt(partial(cls.__new__, cls), *values)
            try:
                calls += torment(cls.__new__(cls), set())
            except TypeError:
                calls += 1  # it is not made without its arguments
        print(kind.__module__, kind.__name__, calls)
    for thing in made(place):
        for values in odd_arguments(3):
            attempt(thing.__init__, *values)
        for odd in ODD:
            if hasattr(thing, "send"):
                attempt(thing.send, odd, 0)
            if isinstance(odd, int | np.int8):
                continue  # as seconds it may be long
            if hasattr(thing, "wait"):
                attempt(thing.wait, odd)
            if hasattr(thing, "send"):
                attempt(thing.send, np.zeros(65, COMMAND), odd)
        print("made", type(thing).__name__, torment(thing, WAITING))
    for dotted in sys.argv[1:]:
        module = importlib.import_module(dotted)
        for function in vars(module).values():
            own = getattr(function, "__module__", "") == dotted and not isinstance(function, type)
            if own and callable(function) and module.__name__ != "touchline.measure.measure":
                for values in odd_arguments(min(arity(function), 4)):
                    attempt(function, *values)
    print("alive")


if __name__ == "__main__":
    main()
