"""Files of market data as arrays of RECORD, one piece after another.

    file, plain or gzip ─► Source: pieces of bytes ─► a reader of its format ─► arrays of RECORD

A reader is an iterator that takes the memory of one piece, however long the file. What a file holds
that it can not is a FeedError, which names the file and the byte.
"""

from __future__ import annotations

import gzip
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import RawIOBase
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.core.arguments import checked_whole
from touchline.errors import FeedError
from touchline.runtime.closing import Closing
from touchline.study.market_record import RECORD, RecordType

Path = str | PathLike[str]
Records = NDArray[np.void]

PIECE_BYTES = 1 << 20
BATCH = 16_384
_GZIP = b"\x1f\x8b"


class Source(Closing):
    """The bytes of a file, unpacked when it is gzip; `offset` counts those handed out."""

    def __init__(self, path: Path) -> None:
        self.path = fspath(path)
        self.offset = 0
        self._held = b""
        self._broken: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile)
        self._file: Any = open(self.path, "rb")  # noqa: SIM115
        if self._file.peek(2)[:2] == _GZIP:
            self._file = gzip.GzipFile(fileobj=self._file)

    def peek(self, count: int) -> bytes:
        """The next bytes, which stay to be read; fewer at the end of the file."""
        while len(self._held) < count and (piece := self._taken(count - len(self._held))):
            self._held += piece
        return self._held[:count]

    def read(self, count: int) -> bytes:
        """So many bytes, fewer at the end. Raises FeedError where a compressed file is damaged."""
        data, self._held = self._held[:count], self._held[count:]
        if len(data) < count:
            data += self._taken(count - len(data))
        self.offset += len(data)
        return data

    def _taken(self, count: int) -> bytes:
        try:
            found: bytes = self._file.read(count)
        except self._broken as error:
            raise FeedError(
                self.path, self.offset, f"it is no whole compressed file: {error}"
            ) from error
        return found

    def unpack(self, codec: str) -> None:
        """What follows is compressed, by a codec that pyarrow knows."""
        try:
            import pyarrow
        except ModuleNotFoundError as error:
            raise ImportError(f"{codec} needs pyarrow: pip install touchline[analytics]") from error
        self._file = pyarrow.CompressedInputStream(_Again(self._held, self._file), codec)
        self._held = b""
        self._broken = (*self._broken, OSError)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Again(RawIOBase):
    """Bytes that were looked at, and then the file they are from."""

    def __init__(self, start: bytes, file: Any) -> None:
        self._start = start
        self._file = file

    def read(self, count: int = -1) -> bytes:
        if self._start:
            data, self._start = self._start, b""
            return data
        found: bytes = self._file.read(count)
        return found

    def readable(self) -> bool:
        return True


class Reader(Closing, ABC):
    """Arrays of RECORD, each the caller's own, shape (n,) with n > 0.

    `symbols` has what instruments are called, as far as it has been read. A reader is read once,
    and closes its file at the end.
    """

    def __init__(self, path: Path, *, batch: int = BATCH) -> None:
        self.path = fspath(path)
        self.batch = checked_whole(batch, "batch", 1, 1 << 20)
        self.symbols: dict[int, str] = {}
        self._pieces: Iterator[Records] | None = None

    def __iter__(self) -> Iterator[Records]:
        return self

    def __next__(self) -> Records:
        if self._pieces is None:
            self._pieces = self.pieces()
        return next(self._pieces)

    @abstractmethod
    def pieces(self) -> Iterator[Records]:
        """The arrays of the file, from its start."""

    def close(self) -> None:
        """Stop reading."""
        pieces, self._pieces = self._pieces, iter(())
        if pieces is not None and hasattr(pieces, "close"):
            pieces.close()

    def read_all(self) -> Records:
        """All that is left, as one array: as much memory as that takes."""
        return np.concatenate([np.zeros(0, RECORD), *self])

    def to_frame(self, **options: Any) -> Any:
        """All that is left, as a pandas.DataFrame; options as of touchline.data.to_frame."""
        from touchline.data.market_frames import to_frame

        records = self.read_all()
        return to_frame(records, symbols=self.symbols, **options)

    def name(self, records: Records) -> None:
        """Keep what DIRECTORY records say."""
        named = records[records["type"] == RecordType.DIRECTORY]
        for number, symbol in zip(
            named["instrument"].tolist(), named["symbol"].tolist(), strict=True
        ):
            self.symbols[number] = symbol.decode("ascii", "replace")
