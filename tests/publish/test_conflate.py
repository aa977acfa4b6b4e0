"""Subscribers for whom nothing is queued: however slow, they get the newest and cost nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.commands import SYMBOLS, commands, new_order
from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S, until
from publish.publishing import assert_books_equal, follow, publishing, subscribe
from publish.test_publish import ask
from publish.test_statistics import assert_day
from touchline.control.publish.publisher import Publisher
from touchline.core.messages import Side
from touchline.marketdata import DEPTH, Kind, Subscriber


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


def conflated(publisher: Publisher, *symbols: str, levels: int = 1000) -> Subscriber:
    return Subscriber(
        publisher.publish_endpoint, publisher.snapshot_endpoint, symbols or None,
        timeout_s=DEADLINE_S, conflate=True, levels=levels,
    )  # fmt: skip


def test_a_really_slow_subscriber_gets_the_newest_and_nothing_waits_for_it(
    venue: ThreadVenue, seed: int
) -> None:
    with (
        publishing(venue) as publisher,
        conflated(publisher) as slow,
        subscribe(publisher) as quick,
    ):
        seen = 0
        for rows in np.array_split(order_flow(seed, 6000), 3):
            for part in np.array_split(rows, 20):
                venue.send(part)
            follow(quick, venue.event_seq)
            updates = slow.poll(1)  # the first time that it looks
            assert slow.event_seq == venue.event_seq
            assert_books_equal(slow, venue.engine())
            for symbol in SYMBOLS:
                assert_day(slow.book(symbol), venue)
            # One update of a kind and instrument, whatever came in between.
            assert len(updates) == len({(u.kind, u.symbol) for u in updates}) <= 3 * len(SYMBOLS)
            seen += len(updates)
        assert 0 < seen <= 9 * len(SYMBOLS)
        assert quick.resyncs == 0
        assert publisher._outlet.dropped == 0
        assert publisher._snapshots.outstanding_bytes == 0


def test_what_has_not_changed_is_not_told_again(venue: ThreadVenue, seed: int) -> None:
    venue.send(order_flow(seed, 500))
    with publishing(venue) as publisher, conflated(publisher) as slow:
        assert slow.poll(0) == []
        number = slow.book("AAA").instrument.index
        venue.send(commands([new_order(instrument=number, price=1, qty=7)]))
        until(lambda: publisher.mirror.event_seq == venue.event_seq, "it is published")
        updates = slow.poll(1)
        assert {update.symbol for update in updates} == {"AAA"}
        (depth,) = (update.records for update in updates if update.kind == Kind.DEPTH)
        lowest = depth[depth["side"] == int(Side.BUY)][-1]
        assert (lowest["price"], lowest["qty"]) == (1, 7)


def test_levels_beyond_those_asked_for_are_left_out(venue: ThreadVenue, seed: int) -> None:
    venue.send(order_flow(seed, 1500))
    with publishing(venue) as publisher, conflated(publisher, "AAA", levels=2) as slow:
        engine = venue.engine()
        book = slow.book("AAA")
        for side in Side:
            wanted = engine.depth(book.instrument.index, side, 2)
            np.testing.assert_array_equal(book.levels(side, 10), wanted)
        slow.poll(0)
        _, levels = ask(publisher, b'{"symbols": ["AAA"], "levels": 1}')
        assert np.frombuffer(levels, DEPTH)["side"].tolist() == [
            int(side) for side in Side if len(engine.depth(book.instrument.index, side, 1))
        ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"since": -1}', "since is a whole number from 0"),
        ('{"since": "1"}', "since is a whole number"),
        ('{"levels": 1.5}', "levels is a whole number from 0"),
        ('{"levels": 9999999}', "levels is a whole number from 0 to 1048576"),
    ],
)
def test_a_bad_request_for_the_newest_is_told_what_is_wrong(
    venue: ThreadVenue, text: str, reason: str
) -> None:
    with publishing(venue) as publisher:
        (answer,) = ask(publisher, text.encode())
        assert reason in json.loads(answer)["error"]


def test_another_journal_is_noticed_by_who_asks_now_and_then(tmp_path: Path, seed: int) -> None:
    with ThreadVenue(tmp_path / "one").running() as first:
        first.open()
        first.send(order_flow(seed, 500))
        with publishing(first) as publisher:
            ports = [
                endpoint.rsplit(":", 1)[1]
                for endpoint in (publisher.publish_endpoint, publisher.snapshot_endpoint)
            ]
            slow = conflated(publisher)
    with ThreadVenue(tmp_path / "two").running() as second, slow:
        second.open()
        second.send(order_flow(seed + 1, 100))
        with publishing(second, (ports[0], ports[1])):
            assert slow.poll(1)
            assert slow.event_seq == second.event_seq
            assert_books_equal(slow, second.engine())
