"""Market data for quants: the layouts of the published records, and a subscriber that stays exact.

   PUB  ── records, numbered per topic ──► Subscriber ──► books, last trades, statuses
   ROUTER ◄── "snapshot, please" ── at the start and after a loss ──┘

Numbers start at the journal's first event and depend on events alone, so they go on through a
restart of the publisher. A Subscriber owns its sockets and books and belongs to one thread. Prices
are ticks and quantities lots; docs/marketdata.md explains every field and the protocol.
"""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
import zmq
from numpy.typing import NDArray

from touchline.core.arguments import checked_seconds, checked_whole
from touchline.core.messages import LEVEL, Side
from touchline.errors import TouchlineError
from touchline.instruments import Instrument
from touchline.marketdata.layout import (
    BBO,
    DEPTH,
    HEADER,
    HEARTBEAT_TOPIC,
    RECORDS,
    STREAMS,
    TRADE,
    VERSION,
    Kind,
    topic,
)

Records = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Update:
    """Records that were new: one kind, one instrument ("" for a heartbeat), in order."""

    kind: Kind
    symbol: str
    event_seq: int
    ts_ns: int
    records: Records


@dataclass(slots=True)
class Book:
    """One instrument as the updates so far have left it; levels are price: (qty, orders)."""

    instrument: Instrument
    bids: dict[int, tuple[int, int]] = field(default_factory=dict)
    asks: dict[int, tuple[int, int]] = field(default_factory=dict)
    bbo: np.void | None = None  # best bid and offer as a BBO record
    last_trade: np.void | None = None  # the last TRADE record, None before the first
    trading_status: int = 0
    entry_status: int = 0
    event_seq: int = 0  # of the last update applied
    seqs: list[int] = field(default_factory=lambda: [0, 0, 0, 0])  # by Kind

    def levels(self, side: Side, levels_max: int = 10) -> Records:
        """Price levels from the best outwards, shape (n,), n <= levels_max, dtype LEVEL.

        Prices in ticks, quantities in lots: what Engine.depth returns, as a copy.
        """
        found = self.bids if side == Side.BUY else self.asks
        prices = sorted(found, reverse=side == Side.BUY)[:levels_max]
        levels = np.zeros(len(prices), LEVEL)
        levels["price"] = prices
        levels["qty"] = [found[price][0] for price in prices]
        levels["orders"] = [found[price][1] for price in prices]
        return levels

    @property
    def best_bid(self) -> int:
        """Ticks, 0 when there is no bid; from the depth topic."""
        return max(self.bids, default=0)

    @property
    def best_ask(self) -> int:
        """Ticks, 0 when there is no ask; from the depth topic."""
        return min(self.asks, default=0)

    def _apply(self, kind: Kind, records: Records) -> None:
        self.seqs[kind] += len(records)
        if kind == Kind.DEPTH:
            self._apply_depth(records)
        elif kind == Kind.TRADES:
            self.last_trade = records[-1]
        elif kind == Kind.BBO:
            self.bbo = records[-1]
        else:
            self.trading_status = int(records["trading_status"][-1])
            self.entry_status = int(records["entry_status"][-1])
        self.event_seq = max(self.event_seq, int(records["event_seq"][-1]))

    def _apply_depth(self, records: Records) -> None:
        buy = int(Side.BUY)
        columns = (records[name].tolist() for name in ("side", "price", "qty", "orders"))
        for side, price, qty, orders in zip(*columns, strict=True):
            levels = self.bids if side == buy else self.asks
            if orders:
                levels[price] = qty, orders
            else:
                levels.pop(price, None)


class Subscriber:
    """Books that are exactly the engine's, however late it joins and whatever gets lost.

    It subscribes first, then asks for a snapshot, drops what the snapshot holds already and applies
    the rest; a gap in a topic's numbers, or a heartbeat that knows of more, leads to a new
    snapshot. `symbols` None follows every instrument, also those listed later. Raises TimeoutError
    when no snapshot comes within `timeout_s`, TouchlineError when the publisher refuses or is of
    another version. After a TimeoutError the next `poll` tries again.
    """

    def __init__(
        self,
        publish: str = "tcp://127.0.0.1:5556",
        snapshot: str = "tcp://127.0.0.1:5557",
        symbols: Sequence[str] | None = None,
        kinds: Sequence[Kind] = STREAMS,
        timeout_s: float = 5.0,
    ) -> None:
        self.event_seq = 0  # up to here nothing is missing in any book followed
        self.resyncs = 0  # snapshots asked for after the first: losses noticed
        self._symbols = None if symbols is None else list(symbols)
        self._kinds = [Kind(kind) for kind in kinds]
        self._timeout_ms = int(checked_seconds(timeout_s, "timeout_s", 86_400) * 1000)
        self._snapshot_address = snapshot
        self._books: dict[str, Book] = {}
        self._epoch = 0
        self._epoch_before: int | None = None
        self._request_id = 0
        self._pid = os.getpid()
        self._context = zmq.Context()
        self._updates = self._context.socket(zmq.SUB)
        self._requests = self._context.socket(zmq.DEALER)
        # Also when this goes without close(), in whatever order the garbage collector comes by.
        self._let_go = weakref.finalize(
            self, _let_go, self._pid, self._context, self._updates, self._requests
        )
        try:
            self._connect(publish, snapshot)
            self._take_snapshot(self._symbols)
        except BaseException:
            self.close()
            raise

    def _connect(self, publish: str, snapshot: str) -> None:
        self._updates.rcvhwm = 100_000
        self._requests.sndtimeo = self._timeout_ms
        for kind in self._kinds:
            if self._symbols is None:
                self._updates.subscribe(topic(kind))
            for symbol in self._symbols or ():
                self._updates.subscribe(topic(kind, symbol))
        # Subscriptions take effect in order: whoever gets a heartbeat gets all the rest.
        self._updates.subscribe(HEARTBEAT_TOPIC)
        self._updates.connect(publish)
        self._requests.connect(snapshot)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Subscriber can not be copied or pickled: its sockets belong to one process; "
            "another process makes its own"
        )

    def close(self) -> None:
        """Close the sockets; harmless when done twice. Nothing unsent is waited for."""
        self._check_here()
        self._let_go()

    def _check_here(self) -> None:
        if self._pid != os.getpid():
            raise RuntimeError(
                f"this Subscriber belongs to process {self._pid}, which forked this one: a child "
                "process makes its own"
            )

    @property
    def symbols(self) -> list[str]:
        """The instruments followed, in the order of their numbers."""
        return sorted(self._books, key=lambda symbol: self._books[symbol].instrument.index)

    def book(self, symbol: str) -> Book:
        """The book of one instrument, live: `poll` changes it. KeyError when not followed."""
        return self._books[symbol]

    def poll(self, timeout_s: float = 0.1, updates_max: int = 1000) -> list[Update]:
        """Wait for a message, apply it and those queued behind it, and return what was new.

        Empty after `timeout_s` without one. A heartbeat is an Update too: nothing new, but alive.
        Raises ValueError for a timeout below 0 or of more than a day, TouchlineError after close.
        """
        self._check_here()
        timeout_ms = int(checked_seconds(timeout_s, "timeout_s", 86_400) * 1000)
        checked_whole(updates_max, "updates_max", 1)
        if self._context.closed:
            raise TouchlineError("the subscriber is closed")
        found: list[Update] = []
        waiting = self._updates.poll(timeout_ms)
        while waiting and len(found) < updates_max:
            try:
                update = self._handle(self._updates.recv_multipart())
            except TimeoutError:
                if not found:
                    raise
                break  # what has been applied is told first; the loss shows again
            if update is not None:
                found.append(update)
            waiting = self._updates.poll(0)
        return found

    def _handle(self, frames: list[bytes]) -> Update | None:
        header, records = _unpack(frames)
        if not self._of_this_journal(int(header["epoch"])):
            return None
        kind = Kind(int(header["kind"]))
        event_seq, ts_ns = int(header["event_seq"]), int(header["ts_ns"])
        if kind == Kind.HEARTBEAT:
            if self._misses_something(records):
                self._resync(self._symbols)
            self.event_seq = max(self.event_seq, event_seq)
            return Update(kind, "", event_seq, ts_ns, records)
        symbol = frames[0].split(b"/", 1)[1][:-1].decode()
        if self._symbols is not None and symbol not in self._symbols:
            return None  # a subscription to A also brings "A/B"
        records = self._new_records(kind, symbol, int(header["first_seq"]), records)
        if not len(records):
            return None
        self._books[symbol]._apply(kind, records)
        return Update(kind, symbol, event_seq, ts_ns, records)

    def _of_this_journal(self, epoch: int) -> bool:
        """Is a message of the journal the books are of? Another journal's begin anew."""
        if epoch == self._epoch:
            self._epoch_before = None
            return True
        if epoch == self._epoch_before:
            return False  # queued before the change that a snapshot has told of
        self._resync(self._symbols)
        return epoch == self._epoch

    def _new_records(self, kind: Kind, symbol: str, first_seq: int, records: Records) -> Records:
        """Those behind what the book has; a snapshot first when some between are missing."""
        book = self._books.get(symbol)
        if book is None or first_seq > book.seqs[kind] + 1:
            self._resync([symbol])
        have = self._books[symbol].seqs[kind]
        if first_seq > have + 1:
            return records[:0]  # the next message or heartbeat shows the gap again
        return records[max(0, have + 1 - first_seq) :]

    def _misses_something(self, heartbeat: Records) -> bool:
        books = {book.instrument.index: book for book in self._books.values()}
        for row in heartbeat:
            book = books.get(int(row["instrument"]))
            if book is None:
                if self._symbols is None:
                    return True
            elif any(row[_SEQ_FIELDS[kind]] > book.seqs[kind] for kind in self._kinds):
                return True
        return False

    def _resync(self, symbols: Sequence[str] | None) -> None:
        self.resyncs += 1
        self._take_snapshot(symbols)

    def _take_snapshot(self, symbols: Sequence[str] | None) -> None:
        """Replace the books named by a snapshot; meanwhile updates queue in their socket."""
        self._request_id += 1
        request = {"id": self._request_id, "symbols": None if symbols is None else list(symbols)}
        try:
            self._requests.send(json.dumps(request).encode())
        except zmq.Again:  # so many lie here unsent that there is no room for more
            raise self._silent() from None
        head, frames = self._reply(self._request_id)
        if "error" in head:
            raise TouchlineError(f"{self._snapshot_address}: {head['error']}")
        if head["epoch"] != self._epoch:
            self._epoch_before, self._epoch = self._epoch, int(head["epoch"])
            self._books.clear()
            if symbols != self._symbols:
                self._take_snapshot(self._symbols)
                return
        for state, levels in zip(head["instruments"], frames, strict=True):
            self._books[state["symbol"]] = _book(state, np.frombuffer(levels, DEPTH))
        if symbols == self._symbols:
            self.event_seq = int(head["event_seq"])

    def _reply(self, request_id: int) -> tuple[dict[str, Any], list[bytes]]:
        """The reply to one request; those to requests given up before are passed over."""
        while self._requests.poll(self._timeout_ms):
            first, *frames = self._requests.recv_multipart()
            head = json.loads(first)
            if head.get("version") != VERSION:
                raise TouchlineError(
                    f"{self._snapshot_address}: version {head.get('version')}, not {VERSION}"
                )
            if head.get("id") == request_id:
                return head, frames
        raise self._silent()

    def _silent(self) -> TimeoutError:
        return TimeoutError(
            f"no snapshot from {self._snapshot_address} within {self._timeout_ms / 1000} s; "
            "is the publisher running?"
        )

    def __iter__(self) -> Iterator[Update]:
        """Updates for ever, heartbeats included."""
        while True:
            yield from self.poll(1.0)


def _let_go(pid: int, context: zmq.Context[Any], *sockets: zmq.Socket[Any]) -> None:
    """Close sockets and context in the process that made them; nothing unsent is waited for."""
    if pid == os.getpid():
        for socket in sockets:
            socket.close(linger=0)
        context.term()


_SEQ_FIELDS = {kind: f"{kind.name.lower()}_seq" for kind in STREAMS}


def _unpack(frames: list[bytes]) -> tuple[np.void, Records]:
    """Header and records of a message; TouchlineError when it is not one of this version."""
    payload = frames[-1]
    if len(frames) != 2 or len(payload) < HEADER.itemsize:
        raise TouchlineError("a message came that is not touchline market data")
    header = np.frombuffer(payload, HEADER, 1)[0]
    if header["version"] != VERSION:
        raise TouchlineError(f"market data of version {header['version']}, not {VERSION}")
    kind, count = Kind(int(header["kind"])), int(header["count"])
    return header, np.frombuffer(payload, RECORDS[kind], count, HEADER.itemsize)


def _book(state: dict[str, Any], levels: Records) -> Book:
    """A book as a snapshot tells it."""
    book = Book(
        Instrument(
            state["instrument"],
            state["symbol"],
            Decimal(state["tick_size"]),
            Decimal(state["lot_size"]),
            state["currency"],
        )
    )
    book._apply_depth(levels)
    if state["last_trade"] is not None:
        book.last_trade = np.array([tuple(state["last_trade"])], TRADE)[0]
    book.bbo = np.array([tuple(state["bbo"])], BBO)[0]
    book.trading_status, book.entry_status = state["trading_status"], state["entry_status"]
    book.seqs = list(state["seqs"])
    book.event_seq = int(book.bbo["event_seq"])
    return book
