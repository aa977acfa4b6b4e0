"""The proof that it adds up: journal against engine, captured history against what brokers heard.

Works on files alone, after or while the venue runs: the journal, the captured events, and the
reports that clients wrote down. A Check says what was compared and whether it held; the numbers are
compared as integers or exact decimals, ExecID by ExecID.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from touchline.config import Config
from touchline.core.messages import COMMAND, ExecType
from touchline.data import history
from touchline.errors import TouchlineError
from touchline.instruments import EXACT
from touchline.runtime.replay import Replay

FILLS = {"F", "1", "2"}
_HEADER_BYTES = 4096  # of a journal segment, as ext/touchline/runtime/journal.h lays it out
_FIRST_SEQ_WORD = 3


@dataclass(frozen=True)
class Check:
    """One comparison and its outcome."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Execution:
    """One side of one trade as one party knows it."""

    account: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal


@dataclass(frozen=True)
class Replayed:
    """What a journal replays to; `checkpoints` maps event numbers to the hash each carries."""

    commands: int
    events: int
    state_hash: int
    checkpoints: Mapping[int, int]
    seconds: float


def replay_whole(journal_dir: Path) -> Replayed:
    """Replay a journal from its first command."""
    started = time.perf_counter()
    checkpoints: dict[int, int] = {}
    with Replay(journal_dir) as source:
        for _, events in source:
            for event in events[events["exec_type"] == ExecType.CHECKPOINT]:
                checkpoints[int(event["seq"])] = int(event["value"]) & 0xFFFFFFFFFFFFFFFF
        result = source.result()
    return Replayed(*result, checkpoints, time.perf_counter() - started)


def replay_facts(journal_dir: Path) -> dict[str, Any]:
    """What `touchline replay` prints; TouchlineError when there is no journal."""
    try:
        replayed = replay_whole(journal_dir)
    except FileNotFoundError as error:
        raise TouchlineError(
            f"there is no journal in {journal_dir}; `touchline run` begins one"
        ) from error
    return {
        "journal": str(journal_dir),
        "commands": replayed.commands,
        "events": replayed.events,
        "state_hash": f"{replayed.state_hash:016x}",
        "checkpoints": len(replayed.checkpoints),
        "seconds": round(replayed.seconds, 4),
        "commands_per_second": round(replayed.commands / max(replayed.seconds, 1e-9)),
        "torn_tail": torn_tail(journal_dir, replayed.commands + 1),
    }


def torn_tail(journal_dir: Path, next_seq: int) -> str | None:
    """What stands behind the journal's last whole command, when it is not the zeros of free room.

    The next `touchline run` cuts it. While the engine writes, this may be the command at hand.
    """
    segments = sorted(journal_dir.glob("*.tlj"))
    if not segments:
        return None
    whole = segments[-1].stat().st_size // 8  # a file cut short may end within a word
    if whole <= _FIRST_SEQ_WORD:
        return None
    content = np.memmap(segments[-1], "<u8", mode="r", shape=(whole,))
    first_seq = int(content[_FIRST_SEQ_WORD])
    offset = _HEADER_BYTES + (next_seq - first_seq) * COMMAND.itemsize
    rest = np.flatnonzero(content[offset // 8 :])
    if first_seq == 0 or not len(rest):
        return None
    size = (int(rest[-1]) + 1) * 8
    return f"{size} bytes at byte {offset} of {segments[-1].name}; the next start cuts them"


def check_replay(replayed: Replayed, live_hash: int, checkpoint: tuple[int, int]) -> list[Check]:
    """The replay ends in the live engine's state, and passed the checkpoint in the same state."""
    seq, expected = checkpoint
    found = replayed.checkpoints.get(seq)
    return [
        Check(
            "the journal replays to the live engine's state",
            replayed.state_hash == live_hash,
            f"live {live_hash:016x}, replay {replayed.state_hash:016x}",
        ),
        Check(
            f"the state was the same at checkpoint event {seq}",
            found == expected,
            f"live {expected:016x}, replay {'none' if found is None else f'{found:016x}'}",
        ),
    ]


def check_capture(config: Config, events: int) -> Check:
    """Every event of the journal was captured, and none twice."""
    _, rows = history.query(
        config.capture_dir,
        "SELECT count(*), count(DISTINCT seq), coalesce(max(seq), 0) FROM events",
    )
    count, distinct, newest = rows[0]
    return Check(
        "every event is captured once",
        (count, distinct, newest) == (events, events, events),
        f"{events} events, {count} captured, {count - distinct} twice",
    )


def told_executions(reports: Path) -> tuple[dict[str, Execution], int]:
    """Executions by ExecID that a client wrote down, and how many ExecIDs came twice."""
    found: dict[str, Execution] = {}
    twice = 0
    with reports.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["msg_type"] != "8" or row["exec_type"] not in FILLS:
                continue
            twice += row["exec_id"] in found
            found[row["exec_id"]] = Execution(
                row["account"],
                row["symbol"],
                row["side"],
                Decimal(row["last_qty"]),
                Decimal(row["last_px"]),
            )
    return found, twice


def captured_executions(config: Config, after_seq: int) -> dict[str, Execution]:
    """Executions by ExecID in the captured history, those of events after `after_seq`."""
    _, rows = history.query(
        config.capture_dir,
        "SELECT seq, account, symbol, side, last_qty, last_px FROM executions "
        f"WHERE seq > {int(after_seq)} ORDER BY seq, side",
    )
    digits = {"BUY": "1", "SELL": "2"}
    return {
        f"{seq}-{digits[side]}": Execution(account, symbol, digits[side], _exact(qty), _exact(px))
        for seq, account, symbol, side, qty, px in rows
    }


def _exact(number: float | Decimal | int) -> Decimal:
    """The shortest decimal that a stored number stands for."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def check_executions(
    told: Mapping[str, Mapping[str, Execution]], captured: Mapping[str, Execution], twice: int
) -> tuple[list[Check], list[dict[str, Any]]]:
    """What clients (by account) were told against what was captured, and the sums of both.

    The same ExecIDs, each with the same quantity and price; and by client and symbol the same sum
    of quantity and of quantity x price.
    """
    heard: dict[str, Execution] = {}
    for executions in told.values():
        heard.update(executions)
    missing = sorted(captured.keys() - heard.keys())
    unknown = sorted(heard.keys() - captured.keys())
    differing = sorted(k for k in heard.keys() & captured.keys() if heard[k] != captured[k])
    faults = [*missing[:3], *unknown[:3], *differing[:3]]
    by_id = Check(
        "captured executions are what the clients were told, ExecID by ExecID",
        not (missing or unknown or differing or twice) and bool(heard),
        f"told {len(heard)}, captured {len(captured)}, {len(missing)} never told, "
        f"{len(unknown)} never captured, {len(differing)} different, {twice} told twice"
        + (f": {' '.join(faults)}" if faults else ""),
    )
    sums = _compare_sums(heard.values(), captured.values())
    equal = all(row["told_qty"] == row["captured_qty"] for row in sums) and all(
        row["told_value"] == row["captured_value"] for row in sums
    )
    by_sum = Check(
        "they add up for each client and symbol: quantity, and quantity x price",
        equal and bool(sums),
        f"{len(sums)} sums",
    )
    return [by_id, by_sum], sums


def _compare_sums(told: Iterable[Execution], captured: Iterable[Execution]) -> list[dict[str, Any]]:
    zero = Decimal(0)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, executions in (("told", told), ("captured", captured)):
        for execution in executions:
            row = rows.setdefault(
                (execution.account, execution.symbol),
                {"account": execution.account, "symbol": execution.symbol}
                | dict.fromkeys(("told_qty", "captured_qty", "told_value", "captured_value"), zero),
            )
            value = EXACT.multiply(execution.qty, execution.price)
            row[f"{kind}_qty"] = EXACT.add(row[f"{kind}_qty"], execution.qty)
            row[f"{kind}_value"] = EXACT.add(row[f"{kind}_value"], value)
    return [rows[key] for key in sorted(rows)]


def percentiles_ms(files: Iterable[Path]) -> dict[str, float]:
    """Exact percentiles of the round trips that clients measured, in milliseconds."""
    samples = np.sort(np.concatenate([np.zeros(0, "<i8"), *(np.fromfile(f, "<i8") for f in files)]))
    if not len(samples):
        return {}
    ranks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    last = len(samples) - 1
    found = {name: float(samples[min(last, int(len(samples) * q))]) for name, q in ranks.items()}
    return {name: round(value / 1e6, 3) for name, value in found.items()} | {"count": len(samples)}
