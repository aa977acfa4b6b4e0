"""Checks of market data, its score, and which source to believe."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from touchline.data import RECORD, RecordType, quality, sources, zones
from touchline.errors import ConfigError, TouchlineError


def trades(prices: list[int]) -> quality.Records:
    records = np.zeros(len(prices), RECORD)
    records["type"] = RecordType.TRADE
    records["price"] = prices
    records["qty"] = 1
    records["seq"] = np.arange(1, len(prices) + 1)
    records["ts_ns"] = np.arange(len(prices))
    return records


def test_each_check_flags_what_it_is_for() -> None:
    bounds = quality.Bounds(price_min=10, price_max=100, tick=5, qty_max=9, ts_max=90)
    records = trades([10, 5, 105, 12, 50, 50])
    assert quality.price(records, bounds).tolist() == [False, True, True, True, False, False]
    records["qty"] = [1, 0, -1, 9, 10, 1]
    assert quality.volume(records, bounds).tolist() == [False, True, True, False, True, False]
    records["ts_ns"] = [5, 4, 6, 91, 7, 91]
    flags = quality.timestamp(records, bounds)
    assert flags.tolist() == [False, True, False, True, True, True]
    records["seq"] = [1, 2, 5, 6, 6, 7]
    flags, steps = quality.completeness(records)
    assert (flags.tolist(), steps.tolist()) == (
        [False, False, True, False, True, False], [0, 0, 2, 0, -1, 0]
    )  # fmt: skip


def test_an_outlier_is_far_from_the_trades_before_it() -> None:
    prices = [1000 + i % 3 for i in range(60)]
    prices[40] = 1100
    bounds = quality.Bounds(window=20)
    assert np.flatnonzero(quality.outlier(trades(prices), bounds)).tolist() == [40]


def test_pieces_are_checked_as_the_whole_is(seed: int) -> None:
    chance = random.Random(seed)
    records = trades([chance.choice([100, 101, 102, 0, 900]) for _ in range(500)])
    records["seq"] = np.cumsum([chance.choice([1, 1, 1, 2, 0]) for _ in range(500)]) + 1
    records["ts_ns"] = np.cumsum([chance.choice([1, 5, -3]) for _ in range(500)]) + 2_000
    records["instrument"] = [chance.randrange(2) for _ in range(500)]
    bounds = quality.Bounds(window=17)
    whole = quality.Quality(bounds)
    wanted = whole.check(records)
    pieces, at = quality.Quality(bounds), 0
    found: dict[str, list[bool]] = {name: [] for name in wanted}
    while at < len(records):
        size = chance.randrange(1, 60)
        for name, flags in pieces.check(records[at : at + size]).items():
            found[name] += flags.tolist()
        at += size
    assert found == {name: flags.tolist() for name, flags in wanted.items()}
    assert pieces.report == whole.report


def test_the_score_is_the_weighted_share_of_what_is_right() -> None:
    assert quality.score(10, {}, 0) == 1.0
    assert quality.score(0, {}, 0) == 0.0
    # Of 5.5 parts: half of the prices' one, a fifth of the numbers' two are missing.
    assert quality.score(8, {"price": 4}, 2) == pytest.approx((5.5 - 0.5 - 0.4) / 5.5)
    assert quality.score(8, dict.fromkeys(quality.WEIGHTS, 8), 10**9) < 1e-8


def test_the_first_provider_that_is_well_is_chosen() -> None:
    providers = (sources.Provider("a", 10, 0.5), sources.Provider("b", 10))
    state = sources.failover_start(providers)
    steps = [
        ("b", 0, None, 1), ("a", 1, None, 1), ("a", 6, None, 0), ("b", 8, None, 0),
        (None, 17, None, 1), ("a", 18, 0.4, 1), ("a", 18, 0.6, 1), (None, 23, None, 0),
        (None, 40, None, None),
    ]  # fmt: skip
    for heard, now, score, chosen in steps:
        state = sources.failover(providers, state, now, heard=heard, score=score, hold_ns=5)
        assert state.chosen == chosen, (heard, now)


def test_two_lines_are_one_feed() -> None:
    records = trades(list(range(1, 21)))
    first, second = records[[0, 1, 2, 5, 6, 9]], records[[1, 2, 3, 5, 8, 11]]
    both, missing = sources.arbitrate(first, second)
    assert both["seq"].tolist() == [1, 2, 3, 4, 6, 7, 9, 10, 12]
    assert missing == 3


def test_symbols_are_mapped_exactly(tmp_path: Path) -> None:
    path = tmp_path / "symbols.toml"
    path.write_text('[symbols.reuters]\n"AAPL.O" = "AAPL"\n"MSFT.O" = "MSFT"\n')
    names = sources.SymbolMap.read(path)
    assert names.ours("reuters", "AAPL.O") == "AAPL"
    for source, theirs in (("reuters", "aapl.o"), ("bloomberg", "AAPL.O")):
        with pytest.raises(LookupError, match=theirs):
            names.ours(source, theirs)
    numbers = names.numbers("reuters", {7: "MSFT.O", 8: "AAPL.O", 9: "X"}, ["AAPL", "MSFT"])
    assert numbers == {7: 1, 8: 0}
    records = trades([1, 2, 3])
    records["instrument"] = [9, 8, 7]
    assert sources.renumbered(records, numbers)["instrument"].tolist() == [0, 1]
    path.write_text('[symbols.x]\na = "A"\nb = "A"\n')
    with pytest.raises(ConfigError, match="x: 'a' and 'b' are both 'A'"):
        sources.SymbolMap.read(path)


def test_local_times_are_exact_and_never_guessed() -> None:
    name = "America/New_York"
    spring = zones.to_utc_ns([0], name)[0]
    assert spring == 5 * 3600 * 10**9
    day = 1_710_028_800  # 2024-03-10 00:00 on the wall; at 2:00 the clock goes to 3:00
    walls = np.array([day + 7199, day + 10_800]) * 10**9 + 123_456_789
    utc = zones.to_utc_ns(walls, name)
    assert (utc[1] - utc[0]) == 10**9
    assert np.array_equal(zones.to_local_ns(utc, name), walls)
    with pytest.raises(TouchlineError, match="the clock never shows 2024-03-10T02:30:00"):
        zones.to_utc_ns([(day + 9000) * 10**9], name)
    autumn = (1_730_592_000 + 5_400) * 10**9  # 2024-11-03 01:30 is there twice
    with pytest.raises(TouchlineError, match="twice"):
        zones.to_utc_ns([autumn], name)
    first, second = (zones.to_utc_ns([autumn], name, fold=fold)[0] for fold in (0, 1))
    assert second - first == 3600 * 10**9
    with pytest.raises(TypeError, match="no whole nanoseconds"):
        zones.to_utc_ns([0.5], name)
    with pytest.raises(TouchlineError, match="'Nowhere' is no time zone"):
        zones.to_utc_ns([0], "Nowhere")


def test_random_moments_come_back(seed: int) -> None:
    chance = random.Random(seed)
    moments = np.array([chance.randrange(0, 4 * 10**18) for _ in range(2000)])
    for name in ("Europe/Istanbul", "Asia/Kolkata", "Africa/Monrovia"):
        local = zones.to_local_ns(moments, name)
        first, second = (zones.to_utc_ns(local, name, fold=fold) for fold in (0, 1))
        assert np.array_equal(np.where(first == moments, first, second), moments)
