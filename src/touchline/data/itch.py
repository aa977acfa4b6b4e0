"""ITCH 5.0 from files: Nasdaq's BinaryFILE, plain or gzip, and captured packets of MoldUDP64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from touchline.data.reader import BATCH, PIECE_BYTES, Path, Reader, Records, Source
from touchline.data.zones import midnight_ns
from touchline.errors import FeedError
from touchline.study.feed import Feed, FeedCounts

NASDAQ_ZONE = "America/New_York"
_CAPTURES = (
    b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
)  # fmt: skip


def read_itch(
    path: Path,
    *,
    day: date | str | None = None,
    zone: str = NASDAQ_ZONE,
    port: int = 0,
    skip: bool = False,
    batch: int = BATCH,
) -> ItchReader:
    """Records of a file of ITCH 5.0: messages with their lengths, or packets (pcap, pcapng).

    Times are nanoseconds since midnight; with `day`, UTC nanoseconds of that day in `zone`. Of
    packets, `port` is the UDP port that is read, 0 for any; both lines of a feed may be in one
    file. `skip` passes over a message that is at fault, and counts it. A reader gives arrays of at
    most `batch` records.
    """
    base_ns = 0 if day is None else midnight_ns(day, zone)
    return ItchReader(path, base_ns=base_ns, port=port, skip=skip, batch=batch)


def is_capture(start: bytes) -> bool:
    """Do these bytes begin a pcap or pcapng file?"""
    return start[:4] in _CAPTURES


class ItchReader(Reader):
    """Arrays of RECORD from a file of ITCH 5.0; see read_itch."""

    def __init__(
        self,
        path: Path,
        *,
        base_ns: int = 0,
        port: int = 0,
        skip: bool = False,
        batch: int = BATCH,
    ) -> None:
        super().__init__(path, batch=batch)
        self._source = Source(path)
        pcap = is_capture(self._source.peek(4))
        self._feed = Feed(pcap=pcap, base_ns=base_ns, port=port, skip=skip)

    @property
    def counts(self) -> FeedCounts:
        """What was read so far: messages, gaps, duplicates and what was passed over."""
        return self._feed.counts

    def pieces(self) -> Iterator[Records]:
        """The arrays of the file. Raises FeedError where it holds what it can not."""
        for records in self._taken(self._feed.read, self.batch):
            self.name(records)
            yield records

    def messages(self, limit: int | None = None) -> Iterator[bytes]:
        """The messages of the file as bytes, many at a time, each with its length (u16) before it;
        at most `limit`. Instead of the records, and as they are: those of an unknown type, too."""
        left = limit
        for blocks in self._taken(self._feed.messages, self.batch):
            if left is not None:
                blocks, count = _first(blocks, left)
                left -= count
            yield blocks
            if left == 0:
                return

    def _taken(
        self, take: Callable[[memoryview, int], tuple[Any, int]], room: int
    ) -> Iterator[Any]:
        """What a call of the feed makes of the file's pieces, as far as it is anything."""
        with self._source as source:
            rest = b""
            while piece := source.read(PIECE_BYTES):
                data = rest + piece if rest else piece
                at = 0
                view = memoryview(data)
                while True:
                    found, used = take(view[at:], room)
                    at += used
                    if len(found):
                        yield found
                    self._check()
                    if not len(found) and not used:
                        break
                rest = data[at:]
            self._feed.end(len(rest))
            self._check()

    def _check(self) -> None:
        if (fault := self._feed.fault) is not None:
            raise FeedError(self.path, *fault)


def _first(blocks: bytes, most: int) -> tuple[bytes, int]:
    """The first messages of blocks, and how many those are."""
    at = count = 0
    while at < len(blocks) and count < most:
        at += 2 + int.from_bytes(blocks[at : at + 2], "big")
        count += 1
    return blocks[:at], count
