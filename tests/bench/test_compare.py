"""The comparison: its driver and checks, with adapters of touchline and some that are wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare
from benchmarks.common import BenchError
from harness import sources

ORDERS = 400
WRONG = {
    "a quantity": ("rows.append((price + 1, qty, 7))", "is [", "expected ["),
    "no trades": ("pass", "0 trades, expected", ""),
    "an error": ("raise OSError('it broke')", "OSError: it broke", ""),
}
ADAPTER = """
class Book:
    def new(self, number, side, price, qty):
        rows = []
        {body}
        return rows
    ioc = new
    def cancel(self, number, live): pass
    def replace(self, number, side, price, total_qty, open_qty, live): pass
"""


@pytest.fixture(scope="module")
def expected() -> compare.Workload:
    return compare.workload("flash-crash", ORDERS)


@pytest.fixture(scope="module")
def rows(expected: compare.Workload, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare") / "rows.json"
    path.write_text(json.dumps(expected.rows))
    return path


def measure(adapter: Path, expected: compare.Workload, rows: Path) -> dict[str, Any]:
    figures = compare.drive(sys.executable, adapter, rows, 0.2)
    figures["agreement"] = compare.agreement(figures, expected)
    return figures


@pytest.mark.parametrize("name", ["touchline_calls", "touchline_market"])
def test_touchlines_own_adapters_report_its_trades(
    name: str, expected: compare.Workload, rows: Path
) -> None:
    figures = measure(compare.PEERS / f"{name}.py", expected, rows)
    assert len(expected.trades) > 5
    assert figures["agreement"] == "equal"
    assert figures["commands"] == len(expected.rows)
    assert 0 < figures["best_ns"] <= figures["median_ns"]


@pytest.mark.parametrize("what", WRONG)
def test_what_a_peer_does_otherwise_is_said(
    what: str, expected: compare.Workload, rows: Path, tmp_path: Path
) -> None:
    body, *said = WRONG[what]
    adapter = tmp_path / "adapter.py"
    adapter.write_text(ADAPTER.format(body=body))
    try:
        answer = measure(adapter, expected, rows)["agreement"]
    except BenchError as e:
        answer = str(e)
    for part in said:
        assert part in answer


def test_a_peer_without_trades_is_compared_by_its_touch(expected: compare.Workload) -> None:
    count = len(expected.rows)
    touch = expected.touch_after[-1]
    found = {"commands": count, "trades": None, "touch": list(touch)}
    assert compare.agreement(found, expected) == "touch equal"
    assert "expected" in compare.agreement(found | {"touch": [1, 2]}, expected)
    assert compare.agreement(found | {"touch": None}, expected) == "nothing reported"


def test_trades_that_differ_in_price_alone_are_counted(expected: compare.Workload) -> None:
    trades = [list(trade) for trade in expected.trades]
    trades[0][0] += 1
    found = {"commands": len(expected.rows), "trades": trades, "touch": None}
    wanted = f"equal but for 1 of {len(trades)} prices"
    assert compare.agreement(found, expected) == wanted


def test_a_slow_peer_is_compared_on_the_beginning_of_the_flow(expected: compare.Workload) -> None:
    count = next(i for i, trades in enumerate(expected.trades_after, 1) if trades == 2)
    found = {"commands": count, "trades": expected.trades[:2], "touch": None}
    assert compare.agreement(found, expected) == "equal"


def test_numpy_batches_have_the_same_trades(expected: compare.Workload) -> None:
    assert compare.batches(expected)["agreement"] == "equal"


def test_what_could_not_be_measured_is_listed_with_its_reason() -> None:
    ours = {"best_ns": 1.0, "median_ns": 2.0, "commands": 9, "agreement": "equal"}
    figures = {"rows": {"touchline_calls": ours, "AAA": {"version": "1", "reason": "it broke"}}}
    lines = compare.table(figures)
    assert "| touchline_calls  | 1 | 2 | 1.00 | 9 | equal |" in lines
    assert lines[-1] == "* AAA 1: not measured: it broke."


def test_every_package_has_a_short_adapter_that_says_what_it_had_to_do() -> None:
    for package in compare.VERSIONS:
        adapter = compare.PEERS / f"{package.replace('-', '_')}.py"
        text = adapter.read_text()
        assert "NOTE = " in text, sources.name(adapter)
        assert len(text.splitlines()) <= 100, sources.name(adapter)
