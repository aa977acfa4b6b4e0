"""Runs a flow through one peer's adapter, inside that peer's environment; standard library alone.

    python -P peer_driver.py ADAPTER.py COMMANDS.json SECONDS  →  JSON on standard output

An adapter defines `Book` with new, ioc, cancel and replace, and, where a peer has types of its own,
SIDES (sell, buy), price and qty, which make its arguments before the clock runs. Each call returns
the trades it caused as (price, qty, maker) or nothing; `finish` may give (price, qty, maker, taker)
of all trades instead, asked once, outside the clock. Ids of its own are told by `numbers`: its id
to the flow's number. `touch` may give the best bid and ask at the end.
Every pass has a fresh Book; the clock is the process's CPU time, around the calls and a loop that
keeps their trades. A slow peer gets the beginning of the flow, as much as the seconds allow.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PASSES_MAX = 5
FIRST_TRY = 500

Call = tuple[int, Callable[..., Any], tuple[Any, ...]]


def load(path: str) -> Any:
    """The adapter as a module under a name that no package has."""
    spec = importlib.util.spec_from_file_location("peer_adapter", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepare(adapter: Any, book: Any, commands: list[list[Any]]) -> list[Call]:
    """Bound methods and arguments in the peer's types: the clock sees nothing of their making."""
    sides = getattr(adapter, "SIDES", (False, True))
    price_of, qty_of = getattr(adapter, "price", int), getattr(adapter, "qty", int)
    calls: list[Call] = []
    for name, number, *rest in commands:
        arguments = [number, *rest]
        if name != "cancel":
            is_buy, price, qty, *others = rest
            arguments = [number, sides[is_buy], price_of(price), qty_of(qty)]
        if name == "replace":
            open_qty, live = others
            arguments += [qty_of(open_qty), live]
        calls.append((number, getattr(book, name), tuple(arguments)))
    return calls


def one_pass(adapter: Any, commands: list[list[Any]]) -> tuple[float, dict[str, Any]]:
    """Nanoseconds a command, and the trades and the touch at the end, None if it tells none."""
    book = adapter.Book()
    calls = prepare(adapter, book, commands)
    found = []
    # The flow's own hundred thousand lists are nothing a collection should walk through.
    gc.collect()
    gc.freeze()
    start = time.process_time_ns()
    for number, call, arguments in calls:
        trades = call(*arguments)
        if trades:
            found.append((number, trades))
    elapsed = time.process_time_ns() - start
    told = {"trades": None, "touch": book.touch() if hasattr(book, "touch") else None}
    if getattr(adapter, "REPORTS_TRADES", True):
        told["trades"] = trades_of(book, found)
    return elapsed / len(commands), told


def trades_of(book: Any, found: list[tuple[int, list[Any]]]) -> list[list[int]]:
    """(price, qty, maker, taker) of every trade, in the flow's numbers."""
    rows = [(*trade[:3], number) for number, trades in found for trade in trades]
    numbers = book.numbers() if hasattr(book, "numbers") else {}
    if hasattr(book, "finish"):
        rows = [(*trade[:3], numbers.get(trade[3], trade[3])) for trade in book.finish()]
    return [
        [int(price), int(qty), int(numbers.get(maker, maker)), int(taker)]
        for price, qty, maker, taker in rows
    ]


def size(adapter: Any, commands: list[list[Any]], seconds: float) -> int:
    """How many commands take a tenth of the time, by doubling: books slow down as they grow."""
    count = min(FIRST_TRY, len(commands))
    while True:
        ns, _ = one_pass(adapter, commands[:count])
        if ns * count > seconds * 1e9 / 10 or count == len(commands):
            return count
        count = min(len(commands), 2 * count)


def main(arguments: list[str]) -> None:
    path, flow, seconds = arguments
    deadline = time.monotonic() + float(seconds)
    adapter = load(path)
    everything = json.loads(Path(flow).read_text())
    commands = everything[: size(adapter, everything, float(seconds))]
    taken: list[float] = []
    told: dict[str, Any] = {}
    while len(taken) < PASSES_MAX and (len(taken) < 2 or time.monotonic() < deadline):
        ns, told = one_pass(adapter, commands)
        taken.append(ns)
    json.dump(
        {
            "commands": len(commands),
            "best_ns": min(taken),
            "median_ns": sorted(taken)[len(taken) // 2],
            "passes": len(taken),
            "note": getattr(adapter, "NOTE", ""),
            **told,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
