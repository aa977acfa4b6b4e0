"""A market taken down, put back and copied: with its names, and without ties to the first one."""

from __future__ import annotations

import copy
import hashlib
import multiprocessing
import pickle
import random
import struct
from collections.abc import Callable
from decimal import Decimal

import pytest

from touchline.market import Market, OrdStatus, Report
from touchline.market.snapshot import MAGIC


def make() -> Market:
    """Two instruments and accounts, an offer, and a trade at its time."""
    market = Market(orders_max=64, price_blocks_max=64)
    market.list_instrument("AAA", "0.01", currency="USD")
    market.list_instrument("BBB", "7E-8", "1E+2")
    for name in ("ACC1", "ÄCC2"):
        market.open_account(name)
    market.ts_ns = 1_700_000_000_000_000_000
    market.sell("AAA", 10, "10.25", account="ACC1")
    market.buy("AAA", 4, "10.25", account="ÄCC2")
    market.buy("BBB", 300, "7E-8", account="ACC1")
    return market


def all_of(market: Market) -> tuple[object, ...]:
    """What a market says of itself."""
    books = [
        market.open_orders(i.symbol, side) for i in market.instruments for side in ("buy", "sell")
    ]
    return (
        market.instruments, market.accounts, market.ts_ns, market.trades(), books,
        market.position("ACC1", "AAA"), market.engine.state_hash(), market.engine.capacities,
    )  # fmt: skip


class Study(Market):
    """A derived market, with a constructor that asks for more and an attribute."""

    def __init__(self, name: str) -> None:
        super().__init__(orders_max=16)
        self.name = name
        self.seen: list[Report] = []


def from_snapshot(market: Market) -> Market:
    return Market.from_snapshot(market.snapshot())


def pickled_pair(pair: tuple[Market, Report]) -> tuple[Market, Report]:
    made: tuple[Market, Report] = pickle.loads(pickle.dumps(pair))
    return made


def restored(market: Market) -> Market:
    other = Market(orders_max=64, price_blocks_max=64)
    other.list_instrument("ZZZ", 1)
    other.restore(market.snapshot())
    return other


def pickled(market: Market) -> Market:
    made = pickle.loads(pickle.dumps(market))
    assert isinstance(made, Market)
    return made


Way = Callable[[Market], Market]
WAYS: tuple[Way, ...] = (copy.copy, copy.deepcopy, pickled, from_snapshot, restored)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_market_made_of_another_is_the_same_and_its_own(way: Way) -> None:
    market = make()
    fork = way(market)
    before = all_of(market)
    assert all_of(fork) == before
    (offer,) = fork.open_orders("AAA", "sell")
    assert fork.cancel(offer).ord_status is OrdStatus.CANCELED
    fork.open_account("ACC3")
    fork.list_instrument("CCC", "0.5")
    assert fork.buy("CCC", 1, "0.5", account="ACC3").accepted
    assert all_of(market) == before
    assert market.cancel(offer).accepted


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_report_of_the_first_market_cancels_nothing_in_the_second(way: Way) -> None:
    market = make()
    offer = market.sell("AAA", 5, "11", account="ACC1")
    fork = way(market)
    with pytest.raises(ValueError, match=f"order {offer.order_id} is of another market"):
        fork.cancel(offer)
    assert fork.cancel(fork.open_order(offer)).accepted
    assert offer.ord_status is OrdStatus.NEW
    assert market.cancel(offer).accepted


def test_reports_copied_with_their_market_belong_to_the_copy() -> None:
    market = make()
    offer = market.sell("AAA", 5, "11", account="ACC1")
    for whole in (copy.deepcopy, pickled_pair):
        fork, report = whole((market, offer))
        assert report.events.tobytes() == offer.events.tobytes()
        fork.buy("AAA", 11, "11", account="ÄCC2")
        assert (report.ord_status, report.avg_px) == (OrdStatus.FILLED, Decimal(11))
        assert offer.ord_status is OrdStatus.NEW


def test_a_derived_market_is_copied_with_what_it_added() -> None:
    study = Study("first")
    study.list_instrument("AAA", "0.01")
    study.open_account("ACC1")
    study.seen.append(study.buy("AAA", 1, "1", account="ACC1"))
    for fork in (copy.deepcopy(study), pickle.loads(pickle.dumps(study))):
        assert (type(fork), fork.name) == (Study, "first")
        assert fork.cancel(fork.seen[0]).accepted
        assert study.seen[0].ord_status is OrdStatus.NEW
    shallow = copy.copy(study)
    assert shallow.seen is study.seen
    assert shallow.engine is not study.engine


def _traded(market: Market) -> tuple[int, int]:
    report = market.buy("AAA", 2, "10.25", account="ÄCC2")
    return int(report.filled_qty), market.engine.state_hash()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_market_goes_to_another_process(method: str) -> None:
    market = make()
    with multiprocessing.get_context(method).Pool(1) as pool:
        (answer,) = pool.map(_traded, [market])
    assert answer == _traded(market)


def test_a_what_if_goes_back_and_keeps_the_reports_from_before() -> None:
    market = make()
    offer = market.sell("AAA", 5, "11", account="ACC1")
    taken = market.snapshot()
    for price in ("12", "13"):
        market.replace(offer, 7, price)
        later = market.buy("AAA", 1, "9", account="ACC1")
        market.restore(taken)
        assert (offer.ord_status, offer.order_qty) == (OrdStatus.NEW, Decimal(5))
        with pytest.raises(ValueError, match=f"order {later.order_id} is of a market that a resto"):
            market.cancel(later)
        assert (later.ord_status, later.leaves_qty) == (OrdStatus.NEW, Decimal(1))
        assert "NEW" in repr(later)
    again = market.buy("AAA", 1, "9", account="ÄCC2")
    assert again.order_id == later.order_id
    with pytest.raises(ValueError, match="a restore took back"):
        market.cancel(later)
    assert market.cancel(again).accepted
    assert market.cancel(offer).accepted


def test_a_restore_takes_the_tape_back() -> None:
    market = make()
    offer = market.sell("AAA", 5, "11", account="ACC1")
    taken, tape = market.snapshot(), market.trades()
    market.buy("AAA", 8, "11", account="ÄCC2")
    assert (len(market.trades()), offer.ord_status) == (len(tape) + 2, OrdStatus.PARTIALLY_FILLED)
    market.restore(taken)
    assert (market.trades(), offer.ord_status, offer.avg_px) == (tape, OrdStatus.NEW, None)


def test_reports_of_a_branch_given_up_stay_void_when_another_is_restored() -> None:
    market = make()
    root = market.snapshot()
    lost = market.buy("AAA", 1, "1", account="ACC1")
    market.restore(root)
    market.buy("AAA", 1, "1", account="ACC1")
    branch = market.snapshot()
    market.restore(root)
    market.restore(branch)
    with pytest.raises(ValueError, match="a restore took back"):
        market.cancel(lost)


def test_a_snapshot_of_other_capacities_is_refused_by_name() -> None:
    market, other = make(), Market(orders_max=65, price_blocks_max=64)
    other.list_instrument("ZZZ", 1)
    with pytest.raises(ValueError, match="a market with orders_max 64; this one has 65"):
        other.restore(market.snapshot())
    assert [instrument.symbol for instrument in other.instruments] == ["ZZZ"]


def test_a_damaged_snapshot_is_refused_and_changes_nothing(seed: int) -> None:
    rng, market = random.Random(seed), make()
    data, before = market.snapshot(), all_of(market)
    bad = [b"", b"x" * 100, data[:-1], data + b"\0", data[1:], MAGIC, data[: len(data) // 2]]
    bad.append(data[: len(MAGIC) - 1] + b"\x02" + data[len(MAGIC) :])
    for _ in range(50):
        at = rng.randrange(len(data))
        bad.append(data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :])
    for damaged in bad:
        for take in (market.restore, Market.from_snapshot):
            with pytest.raises(ValueError, match="snapshot"):
                take(damaged)
    with pytest.raises(TypeError):
        market.restore("text")  # type: ignore[arg-type]
    assert all_of(market) == before


NO_SIZES = (
    *[(size, 1) for size in ("Infinity", "NaN", "abc", 0.01, 0, -1, "1E-19")],
    *[("0.01", size) for size in ("Infinity", 0.5, None, "")],
)


FORGED: dict[str, tuple[str, str]] = {
    "a symbol twice": ('"symbol": "BBB"', '"symbol": "AAA"'),
    "an account twice": ('["ACC1"', '["\\u00c4CC2"'),
    "an account by number": ('["ACC1"', "[1"),
    "a tick of nothing": ('"tick_size": "0.01"', '"tick_size": "0"'),
    "a number twice": ('"index": 1', '"index": 0'),
    "a name unknown": ('"ts_ns"', '"tsns"'),
    "a time before time": ('"ts_ns": 1', '"ts_ns": -1'),
    "no JSON": ('"capacities"', "capacities"),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_snapshot_that_somebody_made_up_is_refused(forged: str) -> None:
    market = make()
    data, before = market.snapshot(), all_of(market)
    old, new = (text.encode() for text in FORGED[forged])
    names, record, engine = struct.unpack_from("<3Q", data, 8)
    header = data[32 : 32 + names].replace(old, new)
    assert header != data[32 : 32 + names]
    lengths = struct.pack("<3Q", len(header), record, engine)
    whole = data[:8] + lengths + header + data[32 + names : -32]
    for take in (market.restore, Market.from_snapshot):
        with pytest.raises(ValueError, match="a market's snapshot with"):
            take(whole + hashlib.sha256(whole).digest())
    assert all_of(market) == before


def test_listing_is_all_or_nothing() -> None:
    market = Market()
    for tick, lot in NO_SIZES:
        with pytest.raises(ValueError, match=r"^(tick|lot) size "):
            market.list_instrument("AAA", tick, lot)  # type: ignore[arg-type]
    for name, error in ((1, TypeError), (None, TypeError), ("", ValueError)):
        with pytest.raises(error):
            market.list_instrument(name, 1)  # type: ignore[arg-type]
        with pytest.raises(error):
            market.open_account(name)  # type: ignore[arg-type]
    assert (market.instruments, market.engine.event_seq) == ([], 0)
    assert market.list_instrument("AAA", "0.01").index == 0
    market.open_account("ACC1")
    assert market.buy("AAA", 1, Decimal("0.01"), account="ACC1").accepted
