"""The venue's journal as a file of ITCH 5.0, which other readers take: Nasdaq's BinaryFILE.

    journal ─► replay: commands and events ─► ItchFeed ─► messages, each with its length before it

The messages are those that the venue's own feed sends, with the same numbers.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from os import PathLike, fspath
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.core.engine import Engine
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import follow_capacities
from touchline.wire.itch_feed import ItchFeed

_BATCH = 16_384


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
    until_ns: int | None = None,
    midnight_ns: int = 0,
    overwrite: bool = False,
) -> Exported:
    """Write the journal from its first command, gzip when the name ends in `.gz`.

    Up to the first command later than `until_ns`, when it is given. Times of messages are counted
    from `midnight_ns` of a UTC day. The file appears whole, or not at all. Raises FileExistsError
    unless `overwrite`, FileNotFoundError without a journal, JournalCorrupt.
    """
    to = fspath(path)
    if not overwrite and os.path.lexists(to):
        raise FileExistsError(17, "it is there already", to)
    part = f"{to}.part"
    try:
        with _opened(part, to.endswith(".gz")) as file:
            made = _write(journal_dir, file, to, until_ns, midnight_ns)
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
    until_ns: int | None,
    midnight_ns: int,
) -> Exported:
    with JournalReader(journal_dir) as reader:
        most = reader.newest_capacities
        feed = ItchFeed(
            instruments_max=most.instruments_max,
            orders_max=most.orders_max,
            price_blocks_max=most.price_blocks_max,
            midnight_ns=midnight_ns,
        )
        engine = Engine(**reader.capacities._asdict())
        done = 0
        for commands in _until(reader, until_ns):
            follow_capacities(engine, reader)
            feed.commands(commands)
            for events in engine.submit_in_pieces(commands):
                file.write(feed.apply(events))
            done += len(commands)
    reasons = {number: feed.untold(number) for number in range(most.instruments_max)}
    untold = {number: reason for number, reason in reasons.items() if reason is not None}
    return Exported(to, done, feed.count, feed.unshown, untold, engine.state_hash())


def _until(reader: JournalReader, until_ns: int | None) -> Iterator[NDArray[np.void]]:
    while len(commands := reader.read(_BATCH)):
        if until_ns is not None:
            later = np.flatnonzero(commands["ts_ns"] > until_ns)
            if len(later):
                if later[0]:
                    yield commands[: later[0]]
                return
        yield commands
