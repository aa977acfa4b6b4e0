"""Several sources: one price of them as the configuration says, and one flow through all of it."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness import itch_flow
from touchline import Side
from touchline.config import load
from touchline.control.operate.cli import main
from touchline.control.operate.feed_sources import pricing_of
from touchline.data import PRICE_SCALE, Books, read_csv, read_itch
from touchline.data.consolidate import consolidate
from touchline.data.pricing import EXAMPLE
from touchline.data.quality import Bounds, Quality
from touchline.data.sources import Provider, SymbolMap
from touchline.data.through_engine import Through
from touchline.errors import ConfigError

CONFIG = """\
[venue]
name = "priced"

[pricing]
window_s = 300
sigma = 3
failover_hold_s = 0.05

[[sources]]
name = "reuters"
weight = 0.4
timeout_ms = 100
symbols = { "AAPL.O" = "AAPL" }

[[sources]]
name = "bloomberg"
weight = 0.4
timeout_ms = 100
score_min = 0.9
symbols = { "AAPL US" = "AAPL" }

[[sources]]
name = "internal"
weight = 0.2
timeout_ms = 50
symbols = { "AAPL" = "AAPL" }
"""
MS = 1_000_000


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "touchline.toml"
    path.write_text(CONFIG)
    return path


def tape(tmp_path: Path, name: str, symbol: str, rows: list[tuple[int, str, int]]) -> Path:
    """A table of trades: (milliseconds, price, quantity)."""
    path = tmp_path / f"{name}.csv"
    lines = [f"{ms * MS},{price},{qty},{symbol}" for ms, price, qty in rows]
    path.write_text("ts_ns,price,qty,symbol\n" + "\n".join(lines) + "\n")
    return path


def check(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), "feed", "check", "--json", *words])


def test_the_configuration_makes_the_pricing_engine(config: Path) -> None:
    made = pricing_of(load(config))
    assert made == EXAMPLE
    assert made.sources["reuters"].weight == Fraction(2, 5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('name = "bloomberg"', 'name = "reuters"'), "sources"),
        (('"AAPL.O" = "AAPL"', '"AAPL.O" = "AAPL", "AAPL.N" = "AAPL"'), "'AAPL', and so is"),
        (("weight = 0.2", "weight = 0"), "weight"),
        (("timeout_ms = 50", "timeout_ms = 0"), "timeout_ms"),
        (("sigma = 3", "sigma = -1"), "sigma"),
        (("window_s = 300", "windows = 300"), "windows"),
    ],
)
def test_what_is_wrong_with_sources_is_named(
    config: Path, change: tuple[str, str], words: str
) -> None:
    config.write_text(CONFIG.replace(*change))
    with pytest.raises(ConfigError, match=words):
        load(config)


def test_files_of_three_sources_are_one_price(tmp_path: Path, config: Path) -> None:
    """Prices that can be worked out by hand: at the end all three are heard, and one outlier was
    told by reuters, which had been steady."""
    steady = [(i, "100.00" if i % 2 else "100.02", 10) for i in range(20)]
    reuters = tape(tmp_path, "reuters", "AAPL.O", [*steady, (21, "250.00", 10), (30, "100.00", 10)])
    bloomberg = tape(tmp_path, "bloomberg", "AAPL US", [(40, "100.02", 10)])
    internal = tape(tmp_path, "internal", "AAPL", [(41, "100.03", 20)])
    files = [f"reuters={reuters}", f"bloomberg={bloomberg}", f"internal={internal}"]
    result = check(config, *(word for one in files for word in ("--source", one)))
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    price = Fraction("40") + Fraction("40.008") + Fraction("20.006")
    assert Fraction(facts["prices"]["AAPL"]["price"]) == price
    sums = [20 * 10 * Fraction("100.01"), 10 * Fraction(100), 10 * Fraction("100.02")]
    value = sum(sums) + 20 * Fraction("100.03")
    vwap = round(value / 240 * PRICE_SCALE)
    assert Fraction(facts["prices"]["AAPL"]["vwap"]) * PRICE_SCALE == vwap
    assert facts["outliers"] == {"reuters": 1, "bloomberg": 0, "internal": 0}
    assert facts["observations"] == {"reuters": 22, "bloomberg": 1, "internal": 1}
    assert facts["believed"] == "reuters"


def test_a_source_that_falls_silent_is_replaced_until_it_has_been_back(
    tmp_path: Path, config: Path
) -> None:
    reuters = [(ms, "100.00", 1) for ms in (*range(0, 100, 10), *range(400, 600, 10))]
    bloomberg = [(ms, "100.00", 1) for ms in range(5, 600, 10)]
    files = {
        "reuters": tape(tmp_path, "reuters", "AAPL.O", reuters),
        "bloomberg": tape(tmp_path, "bloomberg", "AAPL US", bloomberg),
    }
    of = load(config)
    made = consolidate(
        {name: read_csv(path) for name, path in files.items()},
        pricing_of(of),
        tuple(Provider(one.name, one.timeout_ms * MS) for one in of.sources),
        SymbolMap({one.name: one.symbols for one in of.sources}),
        hold_ns=50 * MS,
    )
    # Silent after 90 + 100 ms, noticed at bloomberg's next word; believed again 50 ms after 400.
    assert made.switches == [(0, "reuters"), (195 * MS, "bloomberg"), (450 * MS, "reuters")]
    assert made.late == 0


def test_unmapped_symbols_and_low_scores_are_told(tmp_path: Path, config: Path) -> None:
    path = tape(tmp_path, "bloomberg", "MSFT US", [(1, "10.00", 5)])
    result = check(config, "--source", f"bloomberg={path}")
    assert result.exit_code == 1
    assert "bloomberg: MSFT US unmapped" in result.stderr
    assert json.loads(result.stdout)["prices"] == {}
    bad = tape(tmp_path, "bad", "AAPL US", [(9 - ms, "0.00001", 5) for ms in range(9)])
    result = check(config, "--source", f"bloomberg={bad}", "--tick", "0.01")
    assert result.exit_code == 1
    assert "is below 0.9" in result.stderr
    for wrong in ("nobody=x", "reuters"):
        assert check(config, "--source", wrong).exit_code == 2
    assert check(config, str(path), "--source", f"bloomberg={path}").exit_code == 2


class InTurn(itch_flow.Flow):
    """A flow in which the best order of a side trades, the oldest of them first."""

    def _first(self, ref: int) -> int:
        of = self.books.orders[ref]
        sign = -1 if of.side == "B" else 1
        alike = {
            number: sign * order.price
            for number, order in self.books.orders.items()
            if (order.locate, order.side) == (of.locate, of.side)
        }
        return min(alike, key=alike.__getitem__)

    def _execute(self, ref: int) -> bytes:
        return super()._execute(self._first(ref))

    def _execute_at(self, ref: int) -> bytes:
        return super()._execute_at(self._first(ref))


def test_a_recorded_flow_is_the_same_at_every_step(tmp_path: Path, seed: int) -> None:
    """A file of ITCH that the test makes: read, validated, built into books, entered in an engine;
    where the best order trades first, all of them hold the same."""
    flow = InTurn(seed)
    messages = flow.messages(3000)
    path = tmp_path / "day.itch"
    path.write_bytes(itch_flow.blocks(messages))
    quality, books, through = Quality(Bounds(sigma=1000.0)), Books(), Through()
    kinds: Counter[str] = Counter()
    for records in read_itch(path, batch=500):
        quality.check(records)
        books.apply(records)
        through.apply(records)
        kinds.update(chr(kind) for kind in records["type"].tolist())
    assert quality.report.ok
    assert quality.report.records == sum(kinds.values()) == len(messages)
    assert books.counts.faults == {}
    assert through.counts.records == len(messages)
    assert (through.counts.unfit, through.counts.unknown, through.counts.refused) == (0, 0, 0)
    assert (through.counts.early, through.counts.others) == (0, 0)
    assert through.counts.trades == kinds["E"]
    same = 0
    for locate, number in through.numbers.items():
        for side in Side:
            ours, theirs = (
                books.depth(locate, side, 10_000),
                through.engine.depth(number, side, 10_000),
            )
            plain = flow.books.depth(locate, "B" if side == Side.BUY else "S")
            assert theirs["price"].tolist() == [price for price, _, _ in plain]
            assert (theirs["price"] * (PRICE_SCALE // 10_000)).tolist() == ours["price"].tolist()
            for name in ("qty", "orders"):
                assert ours[name].tolist() == theirs[name].tolist()
            same += len(ours)
    assert same > 0
    again = Through()
    again.apply(np.concatenate(list(read_itch(path))))
    assert again.engine.state_hash() == through.engine.state_hash()
