"""The day's statistics: exact, the newest alone, and there for whoever joins late or lost some."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from harness.commands import SYMBOLS, commands, new_order
from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S
from publish.publishing import all_published, follow, publishing, subscribe
from touchline.core.messages import (
    ACCOUNT_ALL,
    INSTRUMENT_ALL,
    LANE_ADMIN,
    PRICE_MAX,
    QTY_MAX,
    Flag,
    MsgType,
    Side,
    TimeInForce,
)
from touchline.marketdata import Book, Kind, Subscriber
from touchline.marketdata.mirror import Mirror

END_OF_DAY = {
    "type": MsgType.MASS_CANCEL, "instrument": INSTRUMENT_ALL, "account": ACCOUNT_ALL,
    "time_in_force": TimeInForce.DAY, "flags": Flag.EXPIRE,
}  # fmt: skip


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


def assert_day(book: Book, venue: ThreadVenue, after_seq: int = 0) -> None:
    """A book's statistics are those of the venue's trades after an event."""
    events = venue.events()
    chosen = (events["exec_type"] == ord("F")) & (events["instrument"] == book.instrument.index)
    trades = events[chosen & (events["seq"] > after_seq)]
    prices, qtys = trades["price"].tolist(), trades["qty"].tolist()
    turnover = sum(price * qty for price, qty in zip(prices, qtys, strict=True))
    day = book.statistics
    assert day is not None
    assert (day["open_price"], day["high_price"], day["low_price"], day["last_price"]) == (
        (prices[0], max(prices), min(prices), prices[-1]) if prices else (0, 0, 0, 0)
    )
    assert (day["volume"], day["trades"], book.turnover) == (sum(qtys), len(prices), turnover)
    assert book.vwap == (Fraction(turnover, sum(qtys)) if prices else None)


def test_statistics_are_those_of_all_trades_for_who_follows_and_who_joins_late(
    venue: ThreadVenue, seed: int
) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        for rows in np.array_split(order_flow(seed, 3000), 30):
            venue.send(rows)
        updates = follow(subscriber, venue.event_seq)
        assert subscriber.resyncs == 0
        with subscribe(publisher) as late:
            for symbol in SYMBOLS:
                assert_day(subscriber.book(symbol), venue)
                assert_day(late.book(symbol), venue)
        told = [update for update in updates if update.kind == Kind.STATISTICS]
        assert told
        assert all(len(update.records) == 1 for update in told)


def test_the_end_of_a_day_begins_another_one(venue: ThreadVenue, seed: int) -> None:
    rows = order_flow(seed, 2000)
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        venue.send(rows[:1000])
        follow(subscriber, venue.event_seq)
        assert subscriber.book("AAA").vwap is not None
        venue.send(commands([END_OF_DAY]), LANE_ADMIN)
        ended = venue.event_seq
        follow(subscriber, ended)
        at = int(venue.events()["ts_ns"][ended - 1])
        for symbol in SYMBOLS:
            day = subscriber.book(symbol).statistics
            assert day is not None
            assert day.tolist() == (ended, at, 0, 0, 0, 0, 0, 0, 0, 0, at)
            assert subscriber.book(symbol).vwap is None
        venue.send(rows[1000:])
        follow(subscriber, venue.event_seq)
        for symbol in SYMBOLS:
            assert_day(subscriber.book(symbol), venue, ended)


@pytest.mark.parametrize(
    "change",
    [{"account": 0}, {"side": Side.BUY}, {"time_in_force": 0}, {"time_in_force": TimeInForce.GTC}],
)
def test_a_mass_cancel_that_is_no_end_of_a_day_changes_nothing(
    venue: ThreadVenue, seed: int, change: dict[str, int]
) -> None:
    venue.send(order_flow(seed, 800))
    venue.send(commands([END_OF_DAY | change]), LANE_ADMIN)
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        for symbol in SYMBOLS:
            assert_day(subscriber.book(symbol), venue)


def test_a_day_may_end_for_one_instrument(venue: ThreadVenue, seed: int) -> None:
    venue.send(order_flow(seed, 800))
    venue.send(commands([END_OF_DAY | {"instrument": 1}]), LANE_ADMIN)
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        for number, symbol in enumerate(SYMBOLS):
            assert_day(subscriber.book(symbol), venue, venue.event_seq if number == 1 else 0)


def test_who_has_lost_the_last_statistics_learns_it_from_a_heartbeat(
    venue: ThreadVenue, seed: int
) -> None:
    with publishing(venue) as publisher:
        ends = publisher.publish_endpoint, publisher.snapshot_endpoint
        kinds = [Kind.STATISTICS]
        with Subscriber(*ends, ["AAA"], kinds, timeout_s=DEADLINE_S) as subscriber:
            venue.send(order_flow(seed, 500))
            follow(subscriber, venue.event_seq)
            assert subscriber.resyncs == 0
            subscriber._updates.disconnect(ends[0])
            venue.send(commands([END_OF_DAY]), LANE_ADMIN)
            all_published(venue, publisher)
            subscriber._updates.connect(ends[0])
            follow(subscriber, venue.event_seq)
            assert subscriber.resyncs == 1
            assert_day(subscriber.book("AAA"), venue, venue.event_seq)


def test_turnover_is_exact_beyond_64_bits(venue: ThreadVenue) -> None:
    """Orders of the highest price and quantity there are."""
    sell = new_order(side=Side.SELL, price=PRICE_MAX, qty=QTY_MAX)
    buy = new_order(side=Side.BUY, price=PRICE_MAX, qty=QTY_MAX)
    venue.send(commands([sell, buy] * 16))
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        book = subscriber.book(SYMBOLS[0])
        assert book.turnover == 16 * PRICE_MAX * QTY_MAX > 1 << 64
        assert book.vwap == PRICE_MAX
        assert_day(book, venue)


def test_a_mirror_that_nobody_asks_keeps_counting(venue: ThreadVenue, seed: int) -> None:
    venue.send(order_flow(seed, 500))
    events = venue.events()
    silent, told = (Mirror(instruments_max=16) for _ in range(2))
    for part in np.array_split(events, 20):
        silent.apply(part)
        silent.discard()
    told.apply(events)
    assert silent.messages({}) == []
    for number in told.numbers():
        assert silent.state(number).statistics == told.state(number).statistics
        assert silent.state(number).seqs == told.state(number).seqs
