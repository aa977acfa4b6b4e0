"""History: records by number and bars by time, gaps filled, and askers who harm nobody."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from harness.commands import SYMBOLS
from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import until
from publish import hostile
from publish.publishing import all_published, assert_books_equal, follow, publishing, subscribe
from publish.test_publish import ask
from touchline.control.publish import history, snapshots
from touchline.errors import TouchlineError
from touchline.marketdata import BAR, STREAMS, TRADE, Kind, decode, topic
from touchline.marketdata.mirror import Mirror

MIB = 1 << 20


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


def published(venue: ThreadVenue) -> dict[tuple[str, Kind], np.ndarray[Any, np.dtype[np.void]]]:
    """Every record of every topic, from the venue's events."""
    mirror = Mirror(instruments_max=16)
    events = venue.events()
    parts: dict[tuple[str, Kind], list[np.ndarray[Any, np.dtype[np.void]]]] = {}
    names = {
        number: tuple(topic(kind, symbol) for kind in (*STREAMS, Kind.STATISTICS))
        for number, symbol in enumerate(SYMBOLS)
    }
    mirror.apply(events)
    for name, payload in mirror.messages(names):  # type: ignore[arg-type]
        told = decode.message([name, payload])
        parts.setdefault((told.symbol, told.kind), []).append(told.records)
    return {key: np.concatenate(found) for key, found in parts.items()}


def test_every_record_published_is_in_history_whoever_publishes(
    venue: ThreadVenue, seed: int
) -> None:
    rows = order_flow(seed, 4000)
    venue.send(rows[:2000])
    with (
        publishing(venue, history_bytes=16 * MIB) as publisher,
        subscribe(publisher) as subscriber,
    ):
        venue.send(rows[2000:])
        follow(subscriber, venue.event_seq)
        for (symbol, kind), records in published(venue).items():
            got = subscriber.history(symbol, kind, 1, 1 << 40)
            np.testing.assert_array_equal(got, records)
            if kind == Kind.STATISTICS:
                continue
            middle = subscriber.history(symbol, kind, 5, len(records) - 3)
            np.testing.assert_array_equal(middle, records[4:-3])
            assert len(subscriber.history(symbol, kind, len(records) + 1, 1 << 40)) == 0


def test_a_gap_is_filled_from_history_and_no_record_is_missed(
    venue: ThreadVenue, seed: int
) -> None:
    rows = order_flow(seed, 3000)
    with (
        publishing(venue, history_bytes=16 * MIB) as publisher,
        subscribe(publisher) as subscriber,
    ):
        venue.send(rows[:1000])
        updates = follow(subscriber, venue.event_seq)
        subscriber._updates.disconnect(publisher.publish_endpoint)
        venue.send(rows[1000:2500])
        all_published(venue, publisher)
        subscriber._updates.connect(publisher.publish_endpoint)
        venue.send(rows[2500:])
        updates += follow(subscriber, venue.event_seq)
        assert (subscriber.resyncs, subscriber.filled > 0) == (0, True)
        assert_books_equal(subscriber, venue.engine())
        for (symbol, kind), records in published(venue).items():
            got = [u.records for u in updates if (u.symbol, u.kind) == (symbol, kind)]
            if kind == Kind.STATISTICS:
                np.testing.assert_array_equal(got[-1], records)
            elif kind != Kind.STATUS:  # which came before this subscriber
                np.testing.assert_array_equal(np.concatenate(got), records)


def test_a_loss_too_large_for_history_leads_to_a_snapshot(
    venue: ThreadVenue, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("touchline.marketdata.subscriber.FILL_MAX", 10)
    with (
        publishing(venue, history_bytes=16 * MIB) as publisher,
        subscribe(publisher) as subscriber,
    ):
        follow(subscriber, venue.event_seq)
        subscriber._updates.disconnect(publisher.publish_endpoint)
        venue.send(order_flow(seed, 1500))
        all_published(venue, publisher)
        subscriber._updates.connect(publisher.publish_endpoint)
        follow(subscriber, venue.event_seq)
        assert subscriber.resyncs >= 1
        assert_books_equal(subscriber, venue.engine())


def test_what_history_keeps_no_more_leads_to_a_snapshot(venue: ThreadVenue, seed: int) -> None:
    rows = order_flow(seed, 6000)
    with (
        publishing(venue, history_bytes=64 << 10) as publisher,
        subscribe(publisher) as subscriber,
    ):
        venue.send(rows[:500])
        follow(subscriber, venue.event_seq)
        subscriber._updates.disconnect(publisher.publish_endpoint)
        venue.send(rows[500:])
        all_published(venue, publisher)
        subscriber._updates.connect(publisher.publish_endpoint)
        follow(subscriber, venue.event_seq)
        assert subscriber.resyncs >= 1
        assert_books_equal(subscriber, venue.engine())
        number = subscriber.book("AAA").instrument.index
        oldest, newest = publisher.mirror.kept(number, Kind.DEPTH)
        assert 1 < oldest <= newest == subscriber.book("AAA").seqs[Kind.DEPTH]
        got = subscriber.history("AAA", Kind.DEPTH, 1, newest)
        np.testing.assert_array_equal(got, published(venue)["AAA", Kind.DEPTH][oldest - 1 :])


def naive_bars(trades: Any, interval_ns: int, from_ns: int, until_ns: int) -> list[tuple[int, ...]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for trade in trades:
        start = int(trade["ts_ns"]) // interval_ns * interval_ns
        if from_ns // interval_ns * interval_ns <= start and int(trade["ts_ns"]) < until_ns:
            found.setdefault(start, []).append((int(trade["price"]), int(trade["qty"])))
    rows: list[tuple[int, ...]] = []
    for start, traded in found.items():
        prices = [price for price, _ in traded]
        turnover = sum(price * qty for price, qty in traded)
        rows.append(
            (start, prices[0], max(prices), min(prices), prices[-1], sum(q for _, q in traded),
             turnover & (1 << 64) - 1, turnover >> 64, len(traded))
        )  # fmt: skip
    return rows


def test_bars_are_those_of_the_trades(
    venue: ThreadVenue, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "TRADES_A_SLICE", 100)
    for rows in np.array_split(order_flow(seed, 4000), 40):
        venue.send(rows)
    trades = published(venue)["AAA", Kind.TRADES]
    first, last = int(trades["ts_ns"][0]), int(trades["ts_ns"][-1])
    with (
        publishing(venue, history_bytes=16 * MIB) as publisher,
        subscribe(publisher) as subscriber,
    ):
        for from_ns, until_ns in ((0, last + 1), (first, last), (last + 1, last + 10**9)):
            got = subscriber.bars("AAA", 1, max(from_ns, first - 10**9), until_ns)
            assert got.tolist() == naive_bars(trades, 10**9, from_ns, until_ns)
            assert got.dtype == BAR


def test_bars_of_any_trades_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trades = np.zeros(5000, TRADE)
    trades["ts_ns"] = np.cumsum(rng.integers(0, 50, 5000))
    trades["price"] = rng.integers(1, (1 << 30) - 1, 5000)
    trades["qty"] = rng.integers(1, (1 << 31) - 1, 5000)
    got = history.bars_of(trades, 10_000)
    assert got.tolist() == naive_bars(trades, 10_000, 0, 1 << 62)
    assert (got["turnover_high"] > 0).any()


def test_bars_beyond_one_answer_are_asked_for_from_where_it_ended(
    venue: ThreadVenue, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.send(order_flow(seed, 3000))
    trades = published(venue)["AAA", Kind.TRADES]
    start = int(trades["ts_ns"][0])
    with (
        publishing(venue, history_bytes=16 * MIB) as publisher,
        subscribe(publisher) as subscriber,
    ):
        whole = subscriber.bars("AAA", 1, start, start + 4 * 10**9)
        monkeypatch.setattr(history, "BARS_MAX", 1)
        np.testing.assert_array_equal(subscriber.bars("AAA", 1, start, start + 4 * 10**9), whole)
        monkeypatch.setattr(history, "TRADES_MAX", 1)
        monkeypatch.setattr(history, "TRADES_A_SLICE", 1)
        with pytest.raises(TouchlineError, match="a bar of 86400 s has more than 1 trades"):
            subscriber.bars("AAA", 86_400, start, start + 1)


@pytest.mark.parametrize(
    ("request_text", "reason"),
    [
        ('{"history": 1}', "history is an object"),
        ('{"history": {}, "symbols": null}', "one of symbols, history, bars at a time"),
        ('{"history": {"symbol": "AAA"}}', "keys wanted are symbol, kind, first, last"),
        (("AAA", "heartbeat", 1, 2), "kind is one of trades, bbo, depth, status, statistics"),
        (("AAA", 7, 1, 2), "kind is one of"),
        (("AAA", "trades", 0, 2), "first is a whole number from 1"),
        (("AAA", "trades", 1, True), "last is a whole number"),
        (("AAA", "trades", 1, 1 << 63), "last is a whole number"),
        (("AAA", "trades", 3, 2), "first 3 is beyond last 2"),
        (("ZZZ", "trades", 1, 2), "unknown symbol 'ZZZ'"),
        ((1, "trades", 1, 2), "symbol is a text"),
        ('{"bars": []}', "bars is an object"),
        ('{"bars": {"symbol": "AAA", "seconds": 0, "from_ns": 1, "until_ns": 2}}', "seconds is a"),
        ('{"bars": {"symbol": "AAA", "seconds": 1, "from_ns": 2, "until_ns": 2}}', "is not before"),
        ('{"bars": {"symbol": "AAA", "seconds": 1, "from_ns": -1, "until_ns": 2}}', "from_ns is a"),
    ],
)
def test_a_bad_request_for_history_is_told_what_is_wrong(
    venue: ThreadVenue, request_text: Any, reason: str
) -> None:
    if not isinstance(request_text, str):
        keys = ("symbol", "kind", "first", "last")
        request_text = json.dumps({"history": dict(zip(keys, request_text, strict=True))})
    with publishing(venue, history_bytes=MIB) as publisher:
        (answer,) = ask(publisher, request_text.encode())
        assert reason in json.loads(answer)["error"]


def test_without_history_a_request_for_it_is_refused_and_losses_lead_to_snapshots(
    venue: ThreadVenue,
) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        with pytest.raises(TouchlineError, match="no history is kept"):
            subscriber.history("AAA", Kind.TRADES, 1, 2)
        assert not subscriber._has_history


def test_a_directory_that_can_hold_no_history_holds_nothing_up(
    venue: ThreadVenue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = tmp_path / "none"
    with (
        caplog.at_level("WARNING"),
        publishing(venue, history_bytes=MIB, history_dir=nowhere) as publisher,
        subscribe(publisher) as subscriber,
    ):
        assert subscriber.symbols
        assert not subscriber._has_history
    assert "no history of market data is kept" in caplog.text


def test_those_who_ask_without_end_hold_nobody_up(venue: ThreadVenue, seed: int) -> None:
    """Askers who do not read, and askers who ask for all again and again, beside an honest one."""
    rows = order_flow(seed, 4000)
    venue.send(rows[:3000])
    wanted = {"symbol": "AAA", "kind": "depth", "first": 1, "last": 1 << 40}
    asked = hostile.frame(json.dumps({"id": 1, "history": wanted}).encode())
    with (
        publishing(venue, history_bytes=16 * MIB) as publisher,
        subscribe(publisher) as honest,
        zmq.Context() as context,
    ):
        service = publisher._snapshots
        sleepers = [hostile.greeted(publisher.snapshot_endpoint, b"DEALER") for _ in range(3)]
        for sleeper in sleepers:
            sleeper.sendall(asked * 500)
        greedy = context.socket(zmq.DEALER)
        greedy.linger = 0
        greedy.connect(publisher.snapshot_endpoint)
        for _ in range(300):
            greedy.send(json.dumps({"id": 1, "history": wanted}).encode(), zmq.DONTWAIT)
        until(lambda: service.dropped > 100, "requests beyond one at a time are dropped")
        for part in np.array_split(rows[3000:], 20):
            venue.send(part)
            follow(honest, venue.event_seq)
        records = published(venue)["AAA", Kind.TRADES]
        np.testing.assert_array_equal(honest.history("AAA", Kind.TRADES, 1, 1 << 40), records)
        assert honest.resyncs == 0
        assert service.outstanding_bytes <= snapshots.OUTSTANDING_BYTES_MAX
        greedy.close()
        for sleeper in sleepers:
            sleeper.close()


def test_a_mirror_keeps_from_its_first_event_on_or_not_at_all(tmp_path: Path) -> None:
    mirror = Mirror()
    with pytest.raises(ValueError, match="no records are kept"):
        mirror.kept(0, 0)
    with pytest.raises(ValueError, match="bytes_max is 1"):
        mirror.keep(tmp_path, 1)
    with pytest.raises(OSError, match="No such file"):
        mirror.keep(tmp_path / "none", MIB)
    mirror.keep(tmp_path, MIB)
    with pytest.raises(ValueError, match="by one call"):
        mirror.keep(tmp_path, MIB)
    for instrument, kind in ((1 << 31, 0), (0, Kind.STATISTICS)):
        with pytest.raises(ValueError, match="has no records of kind"):
            mirror.kept(instrument, kind)
    assert mirror.kept(0, 0) == (1, 0)
    assert mirror.history(0, 0, 1, 10) == b""
    assert mirror.since(0, 0, 5) == 1
    assert not list(tmp_path.iterdir())
