"""What the demonstration prints: progress while it runs, and the report at the end.

On a terminal the progress is a small panel that is drawn over itself; elsewhere a line now and
then. Nothing here decides anything.
"""

from __future__ import annotations

import shutil
import sys
from decimal import Decimal
from typing import Any

from touchline.control.demo import special
from touchline.control.operate.terminal import table
from touchline.instruments import EXACT

BAR_CELLS = 32
LINES_APART_S = 2.0
DRAWINGS_APART_S = 0.2
REASONS_MAX = 16


class Progress:
    """Shows how far the demonstration is; silent when `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = not quiet and sys.stdout.isatty()
        self._drawn = 0
        self._line_at = 0.0
        self._drawn_at = 0.0

    def say(self, what: str) -> None:
        """One step of the demonstration begins."""
        if self._quiet:
            return
        if self._terminal:
            self._draw([f"  {what} …"])
        else:
            print(f"{what} …", flush=True)

    def show(
        self, elapsed: float, seconds: float, totals: dict[str, int], books: list[dict[str, Any]]
    ) -> None:
        """The state of the flow: a bar, counters and the books."""
        if self._quiet:
            return
        if not self._terminal:
            if elapsed >= self._line_at:
                self._line_at += LINES_APART_S
                touches = "  ".join(_touch(book) for book in books)
                print(f"{elapsed:5.1f} s  {_counters(totals)}  {touches}", flush=True)
            return
        if self._drawn > 1 and elapsed - self._drawn_at < DRAWINGS_APART_S:
            return
        self._drawn_at = elapsed
        done = min(BAR_CELLS, round(elapsed / seconds * BAR_CELLS))
        bar = "━" * done + "╌" * (BAR_CELLS - done)
        lines = [f"  {bar}  {elapsed:4.1f} / {seconds:g} s   {_counters(totals)}", ""]
        for book in books:
            lines += [f"  {line}" for line in _ladder(book)]
        self._draw(lines)

    def clear(self) -> None:
        """Remove the panel."""
        if self._terminal:
            self._draw([])

    def _draw(self, lines: list[str]) -> None:
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        columns = shutil.get_terminal_size().columns
        text = "".join(f"\x1b[2K{line[: columns - 1]}\n" for line in lines)
        sys.stdout.write(f"{up}\x1b[J{text}")
        sys.stdout.flush()
        self._drawn = len(lines)


def _counters(totals: dict[str, int]) -> str:
    return (
        f"{totals.get('requests', 0):,} requests  {totals.get('fills', 0):,} fills  "
        f"{totals.get('refused', 0):,} refused"
    )


def _touch(book: dict[str, Any]) -> str:
    bid = book["bids"][0]["price"] if book["bids"] else "-"
    ask = book["asks"][0]["price"] if book["asks"] else "-"
    return f"{book['symbol']} {bid} × {ask}{_halted(book)}"


def _halted(book: dict[str, Any]) -> str:
    return " halted" if book["status"] == "HALTED" else ""


def _ladder(book: dict[str, Any]) -> list[str]:
    """The best levels of one book, side by side."""
    lines = [f"{book['symbol']}{_halted(book)}"]
    for index in range(3):
        bid = book["bids"][index] if index < len(book["bids"]) else None
        ask = book["asks"][index] if index < len(book["asks"]) else None
        left = f"{bid['qty']:>8}  {bid['price']:>9}" if bid else " " * 19
        right = f"{ask['price']:<9}  {ask['qty']:<8}" if ask else ""
        lines.append(f"  {left}  │  {right}".rstrip())
    return lines


def report_text(facts: dict[str, Any]) -> str:
    """The whole report for people."""
    versions = ", ".join(f"{c['comp_id']} {c['begin_string']}" for c in facts["clients"])
    blocks = [
        f"touchline demo   {facts['seconds']:g} s, seed {facts['seed']}, {versions}",
        _flow_text(facts),
        table(["refused", "reason"], [(n, why) for why, n in _most(facts["refusals"])]),
        "\n".join(line for book in facts["books"] for line in _ladder(book)),
        table(
            ["symbol", "trades", "volume", "vwap", "low", "high"],
            [tuple(row.values()) for row in facts["vwap"]],
        ),
        table(
            [special.SYMBOL, "price", "qty"],
            [tuple(trade.values()) for trade in facts["special"]],
        ),
        table(
            ["account", "symbol", "qty told", "qty captured", "value told", "value captured"],
            [tuple(_plain(value) for value in row.values()) for row in _sums(facts["sums"])],
        ),
        "\n".join(
            f"{'✓' if check['ok'] else '✗'} {check['name']}\n    {check['detail']}"
            for check in facts["checks"]
        ),
        "the proof holds" if facts["proof_holds"] else "THE PROOF DOES NOT HOLD",
    ]
    if facts["kept"]:
        config = f"{facts['directory']}/touchline.toml"
        blocks.append(
            f'kept in {facts["directory"]}: touchline --config {config} query "FROM bars_1m"'
        )
    return "\n\n".join(blocks)


def _flow_text(facts: dict[str, Any]) -> str:
    trip = facts["round_trip_ms"]
    times = "  ".join(f"{name} {trip[name]:g}" for name in ("p50", "p90", "p99", "max"))
    rate = facts["commands"] / max(facts["replay_seconds"], 1e-9)
    return "\n".join(
        [
            f"requests    {facts['requests']:,} over FIX, {facts['orders']:,} of them new orders",
            f"fills       {facts['fills']:,} told to the clients",
            f"refused     {facts['refused']:,}",
            f"round trip  {times} ms, {trip['count']:,} answers",
            f"captured    {facts['captured']:,} events",
            f"replayed    {facts['commands']:,} commands in {facts['replay_seconds']:.3f} s"
            f" ({rate:,.0f} a second), state hash {facts['state_hash']}",
        ]
    )


def _most(refusals: dict[str, int]) -> list[tuple[str, int]]:
    """The most frequent reasons; the rest in one line."""
    items = list(refusals.items())
    rest = sum(count for _, count in items[REASONS_MAX:])
    return items[:REASONS_MAX] + ([("other reasons", rest)] if rest else [])


def _sums(sums: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = ("account", "symbol", "told_qty", "captured_qty", "told_value", "captured_value")
    return [{name: row[name] for name in order} for row in sums]


def _plain(value: object) -> object:
    """A number in full, without the zeros that multiplying has left behind."""
    return f"{EXACT.normalize(value):f}" if isinstance(value, Decimal) else value
