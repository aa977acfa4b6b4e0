"""What the publisher's tests share: a publisher in a thread, and subscribers that follow it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S, until
from touchline.control.publish.publisher import Publisher
from touchline.core.engine import Engine
from touchline.core.messages import Side
from touchline.marketdata import Subscriber, Update
from touchline.marketdata.address import tcp_address
from touchline.marketdata.keys import AllowedKeys, Pair
from touchline.runtime.feed import EventFeed


@contextmanager
def publishing(
    venue: ThreadVenue,
    ports: tuple[str, str] = ("*", "*"),
    silent_up_to: int | None = None,
    *,
    host: str = "127.0.0.1",
    state_path: Path | None = None,
    local: Sequence[str] = (),
    keys: tuple[Pair, AllowedKeys] | None = None,
    history_bytes: int = 0,
    history_dir: Path | None = None,
) -> Iterator[Publisher]:
    """A publisher in a thread of its own, with frequent heartbeats."""
    stop = threading.Event()
    head = venue.event_seq if silent_up_to is None else silent_up_to
    with (
        EventFeed(venue.config.bus_path, venue.config.journal_dir) as feed,
        Publisher(
            feed,
            venue.config.journal_dir,
            publish=[*(local[:1]), tcp_address(host, ports[0])],
            snapshot=[*(local[1:]), tcp_address(host, ports[1])],
            keys=keys,
            history=(history_dir or venue.config.venue.data_dir, history_bytes)
            if history_bytes
            else None,
            heartbeat_s=0.1,
            state_path=state_path,
        ) as publisher,
    ):
        thread = threading.Thread(target=publisher.serve, args=(stop, head))
        thread.start()
        try:
            yield publisher
        finally:
            stop.set()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def subscribe(publisher: Publisher, *symbols: str) -> Subscriber:
    return Subscriber(
        publisher.publish_endpoint,
        publisher.snapshot_endpoint,
        symbols or None,
        timeout_s=DEADLINE_S,
    )


def follow(subscriber: Subscriber, event_seq: int) -> list[Update]:
    """Poll until nothing up to `event_seq` is missing."""
    updates: list[Update] = []

    def there() -> bool:
        updates.extend(subscriber.poll(0.5))
        return subscriber.event_seq >= event_seq

    until(there, f"subscriber reaches event {event_seq}")
    return updates


def all_published(venue: ThreadVenue, publisher: Publisher) -> None:
    """Wait until another subscriber has got every event so far."""
    with subscribe(publisher) as other:
        follow(other, venue.event_seq)


def assert_books_equal(subscriber: Subscriber, engine: Engine) -> None:
    for symbol in subscriber.symbols:
        book = subscriber.book(symbol)
        number = book.instrument.index
        for side in Side:
            wanted = engine.depth(number, side, 1000)
            np.testing.assert_array_equal(book.levels(side, 1000), wanted, f"{symbol} {side}")
        assert book.bbo is not None
        touch = (book.bbo["bid_price"], book.bbo["ask_price"])
        assert touch == (engine.best_bid(number), engine.best_ask(number))
        assert touch == (book.best_bid, book.best_ask)
