"""ITCH 5.0 from files: Nasdaq's BinaryFILE, plain or gzip, and captured packets of MoldUDP64."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

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
        with self._source as source:
            rest = b""
            while piece := source.read(PIECE_BYTES):
                data = rest + piece if rest else piece
                at = 0
                view = memoryview(data)
                while True:
                    records, used = self._feed.read(view[at:], self.batch)
                    at += used
                    if len(records):
                        self.name(records)
                        yield records
                    self._check()
                    if not len(records) and not used:
                        break
                rest = data[at:]
            self._feed.end(len(rest))
            self._check()

    def _check(self) -> None:
        if (fault := self._feed.fault) is not None:
            raise FeedError(self.path, *fault)
