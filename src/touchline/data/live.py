"""ITCH 5.0 as it is sent: the lines of a MoldUDP64 feed as arrays of RECORD.

    line A, line B ─► Listener: each message once, in order ─► Feed ─► arrays of RECORD
                          └─► requests for what both lost

A live reader is a Reader like those of files: the same messages give the same records.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from touchline.data.itch import NASDAQ_ZONE
from touchline.data.reader import BATCH, Reader, Records
from touchline.data.zones import midnight_ns
from touchline.errors import FeedError
from touchline.study.feed import Feed, FeedCounts
from touchline.wire.moldudp64_listener import Heard, Listener

WAIT_S = 0.05
LOSSES_KEPT = 1000


def listen_itch(
    *lines: str,
    requests: str | None = None,
    session: str | None = None,
    start: int | None = None,
    day: date | str | None = None,
    zone: str = NASDAQ_ZONE,
    skip: bool = False,
    batch: int = BATCH,
    quiet_s: float | None = None,
    **options: Any,
) -> LiveReader:
    """Records of a feed's lines, "233.54.12.1:26400", one or two, from now on.

    The first line to bring a message wins. What no line brought is asked for at `requests`, where
    that is given; what never comes is in `losses`. Message `start` is the first wanted: without it
    1 where there is somebody to ask, else that of the first packet. It ends at the end of the
    session, or once nothing has come for `quiet_s`. `day`, `zone` and `skip` as of read_itch,
    `options` as of touchline.wire.moldudp64_listener.Listener. Raises OSError for a line.
    """
    base_ns = 0 if day is None else midnight_ns(day, zone)
    if start is None:
        start = 0 if requests is None else 1
    listener = Listener(lines, requests=requests, session=session, start=start, **options)
    feed = Feed(base_ns=base_ns, skip=skip)
    return LiveReader(" ".join(lines), listener, feed, batch=batch, quiet_s=quiet_s)


class LiveReader(Reader):
    """Arrays of RECORD from a feed's lines; see listen_itch.

    `losses` has the numbers that never came as (first, last), the first thousand of them; `ended`
    says that the session was complete.
    """

    def __init__(
        self, name: str, listener: Listener, feed: Feed, *, batch: int, quiet_s: float | None
    ) -> None:
        super().__init__(name, batch=batch)
        self.losses: list[tuple[int, int]] = []
        self.ended = False
        self._listener = listener
        self._feed = feed
        self._quiet_waits = None if quiet_s is None else max(1, round(quiet_s / WAIT_S))
        self._begun = False

    @property
    def counts(self) -> FeedCounts:
        """What came so far: messages, gaps, missing numbers."""
        return self._feed.counts

    @property
    def session(self) -> str:
        """The session's name, empty until something came."""
        return self._listener.session

    @property
    def line_counts(self) -> dict[str, int]:
        """What came by line; see Listener.counts."""
        return self._listener.counts

    def heard(self) -> Iterator[Heard]:
        """Messages and losses as they come, the messages as bytes. Instead of the records."""
        waits = 0
        while not self.ended:
            heard = self._listener.hear(WAIT_S)
            if heard.kind == "nothing":
                waits += 1
                if self._quiet_waits is not None and waits >= self._quiet_waits:
                    return
                yield heard
                continue
            waits = 0
            if heard.kind == "lost" and len(self.losses) < LOSSES_KEPT:
                self.losses.append((heard.first, heard.last))
            self.ended = heard.kind == "ended"
            yield heard

    def records_of(self, heard: Heard) -> Iterator[Records]:
        """The records of messages that were heard. Raises FeedError where one is at fault."""
        self._feed.number(heard.first, lost=self._begun)
        self._begun = True
        view = memoryview(heard.data)
        while len(view):
            records, used = self._feed.read(view, self.batch)
            view = view[used:]
            if len(records):
                self.name(records)
                yield records
            if (fault := self._feed.fault) is not None:
                raise FeedError(self.path, fault[0], fault[1])

    def pieces(self) -> Iterator[Records]:
        """The arrays, as they come."""
        for heard in self.heard():
            if heard.kind == "messages":
                yield from self.records_of(heard)

    def close(self) -> None:
        """Stop listening."""
        super().close()
        self._listener.close()
