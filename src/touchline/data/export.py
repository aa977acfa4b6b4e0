"""The venue's journal as a file of ITCH 5.0, which other readers take: Nasdaq's BinaryFILE.

    journal ─► replay: commands and events ─► ItchFeed ─┬─► messages, each with its length before it
                                     before the window ─┘─► Opening ─► what is there when it begins

From the journal's start the messages are those that the venue's own feed sends, with the same
numbers. A file that begins later opens with what had been told by then: the stocks, their states,
and every order that rests, as it stands in line.
"""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Iterator
from os import PathLike, fspath
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.core.engine import Engine
from touchline.core.messages import Side
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import follow_capacities
from touchline.study.books import Books
from touchline.study.feed import Feed
from touchline.study.market_record import PRICE_SCALE, RecordType
from touchline.wire.itch_feed import ItchFeed

_BATCH = 16_384
_DAY_NS = 86_400_000_000_000
_UNIT = PRICE_SCALE // 10_000
_KEPT = (RecordType.SYSTEM, RecordType.DIRECTORY, RecordType.TRADING_ACTION)
_ADD = struct.Struct(">cHH6sQcI8sI")  # Add Order of ITCH 5.0


class Exported(NamedTuple):
    """What was written: `untold` has why an instrument is not in it, by number; `unshown` orders
    have a price or quantity that ITCH has no room for."""

    path: str
    commands: int
    messages: int
    unshown: int
    untold: dict[int, str]
    state_hash: int


def export_itch(
    journal_dir: str | PathLike[str],
    path: str | PathLike[str],
    *,
    from_ns: int | None = None,
    until_ns: int | None = None,
    midnight_ns: int = 0,
    overwrite: bool = False,
) -> Exported:
    """Write the journal from its first command, gzip when the name ends in `.gz`.

    From the first command at `from_ns` or later, and up to the first one later than `until_ns`,
    where they are given. Times of messages are counted from `midnight_ns` of a UTC day. The file
    appears whole, or not at all. Raises FileExistsError unless `overwrite`, FileNotFoundError
    without a journal, JournalCorrupt.
    """
    to = fspath(path)
    if not overwrite and os.path.lexists(to):
        raise FileExistsError(17, "it is there already", to)
    part = f"{to}.part"
    try:
        with _opened(part, to.endswith(".gz")) as file:
            made = _write(journal_dir, file, to, (from_ns, until_ns), midnight_ns)
        os.replace(part, to)
    except BaseException:
        if os.path.lexists(part):
            os.unlink(part)
        raise
    return made


def _opened(part: str, packed: bool) -> IO[bytes]:
    if packed:
        return gzip.GzipFile(part, "wb", mtime=0)  # type: ignore[return-value]
    return open(part, "wb")


def _write(
    journal_dir: str | PathLike[str],
    file: IO[bytes],
    to: str,
    window: tuple[int | None, int | None],
    midnight_ns: int,
) -> Exported:
    from_ns, until_ns = window
    opening = None if from_ns is None else Opening(from_ns - midnight_ns)
    done = messages = 0
    with JournalReader(journal_dir) as reader:
        most = reader.newest_capacities
        feed = ItchFeed(
            instruments_max=most.instruments_max,
            orders_max=most.orders_max,
            price_blocks_max=most.price_blocks_max,
            midnight_ns=midnight_ns,
        )
        engine = Engine(**reader.capacities._asdict())
        for commands in _split(_until(reader, until_ns), from_ns):
            follow_capacities(engine, reader)
            feed.commands(commands)
            if opening is not None and int(commands["ts_ns"][0]) >= opening.from_ns + midnight_ns:
                file.write(opening.blocks())
                messages, opening = opening.count - feed.count, None
            for events in engine.submit_in_pieces(commands):
                blocks = feed.apply(events)
                if opening is None:
                    file.write(blocks)
                else:
                    opening.take(blocks)
            done += len(commands)
    if opening is not None:  # nothing happened in the window
        file.write(opening.blocks())
        messages = opening.count - feed.count
    reasons = {number: feed.untold(number) for number in range(most.instruments_max)}
    untold = {number: reason for number, reason in reasons.items() if reason is not None}
    return Exported(to, done, messages + feed.count, feed.unshown, untold, engine.state_hash())


class Opening:
    """What had been told before a time, as messages of that time. Times count from midnight."""

    def __init__(self, from_ns: int) -> None:
        self.from_ns = from_ns
        self.count = 0
        self._feed = Feed()
        self._books = Books()
        self._system: list[bytes] = []
        self._stocks: dict[int, dict[str, bytes]] = {}  # by locate: the last R and H

    def take(self, blocks: bytes) -> None:
        """Messages that came before."""
        view = memoryview(blocks)
        while len(view):
            records, used = self._feed.read(view, _BATCH)
            self._books.apply(records)
            if np.isin(records["type"], _KEPT).any():
                self._keep(bytes(view[:used]))
            view = view[used:]

    def _keep(self, blocks: bytes) -> None:
        at = 0
        while at < len(blocks):
            size = int.from_bytes(blocks[at : at + 2], "big")
            message = blocks[at + 2 : at + 2 + size]
            if message[:1] == b"S":
                self._system.append(message)
            elif message[:1] in (b"R", b"H"):
                locate = int.from_bytes(message[1:3], "big")
                self._stocks.setdefault(locate, {})[chr(message[0])] = message
            at += 2 + size

    def blocks(self) -> bytes:
        """System events, stocks and their states, orders: stock by stock, buys first, each side
        from the best price on, the oldest first."""
        time = (self.from_ns % _DAY_NS).to_bytes(6, "big")
        made = [*self._system]
        for of in self._stocks.values():
            made += [of[kind] for kind in "RH" if kind in of]
        made = [message[:5] + time + message[11:] for message in made]
        for locate, of in self._stocks.items():
            stock = of["R"][11:19]
            for side, letter in ((Side.BUY, b"B"), (Side.SELL, b"S")):
                made += [
                    _ADD.pack(b"A", locate, 0, time, ref, letter, qty, stock, price // _UNIT)
                    for ref, price, qty, _, _ in self._books.orders(locate, side).tolist()
                ]
        self.count = len(made)
        return b"".join(len(message).to_bytes(2, "big") + message for message in made)


def _split(batches: Iterator[NDArray[np.void]], from_ns: int | None) -> Iterator[NDArray[np.void]]:
    """The same, parted where the first command at that time or later stands."""
    begun = from_ns is None
    for commands in batches:
        later = np.zeros(0, int) if begun else np.flatnonzero(commands["ts_ns"] >= from_ns)
        if len(later):
            begun = True
            if later[0]:
                yield commands[: later[0]]
            commands = commands[later[0] :]
        yield commands


def _until(reader: JournalReader, until_ns: int | None) -> Iterator[NDArray[np.void]]:
    while len(commands := reader.read(_BATCH)):
        if until_ns is not None:
            later = np.flatnonzero(commands["ts_ns"] > until_ns)
            if len(later):
                if later[0]:
                    yield commands[: later[0]]
                return
        yield commands
