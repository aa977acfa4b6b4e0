"""Market data for quants: the layouts of the published records, and a subscriber that stays exact.

   PUB  ── records, numbered per topic ──► Subscriber ──► books, last trades, statuses
   ROUTER ◄── "snapshot, please" ── at the start and after a loss ──┘

Numbers start at the journal's first event and depend on events alone, so they go on through a
restart of the publisher. A Subscriber owns its sockets and books and belongs to one thread. Prices
are ticks and quantities lots; docs/marketdata.md explains every field and the protocol. What it
holds has bounds: a peer that sends more than is read waits or loses it.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import numpy as np
import zmq
from numpy.typing import NDArray

from touchline.core.arguments import checked_seconds, checked_whole
from touchline.errors import TouchlineError
from touchline.marketdata import decode
from touchline.marketdata.book import Book, book_of
from touchline.marketdata.client_keys import ClientKeys, Refusals
from touchline.marketdata.layout import BAR, HEARTBEAT_TOPIC, KINDS, RECORDS, STREAMS, Kind, topic

Records = NDArray[np.void]
_Told = TypeVar("_Told", decode.Reply, decode.Answer)
UPDATES_MAX = 10_000  # messages waiting to be polled, of at most 4,096 bytes each but heartbeats
UPDATE_BYTES_MAX = 4 << 20  # of one message: a heartbeat of 65,535 instruments
REPLIES_MAX = 8  # waiting; whatever is older than the last request is passed over
REPLY_BYTES_MAX = 1 << 30  # of one book
TOPICS_MAX = 1_000  # beyond these, whole kinds are subscribed to and others' records passed over
FILL_MAX = 20_000  # records of a loss that are got from history; beyond, a snapshot is less
CONFLATE_WAIT_MS = 50  # between two looks for something new, when nothing is queued
ASK_AGAIN_MS = 1_000  # the publisher drops requests that come too fast


@dataclass(frozen=True, slots=True)
class Update:
    """Records that were new: one kind, one instrument ("" for a heartbeat), in order."""

    kind: Kind
    symbol: str
    event_seq: int
    ts_ns: int
    records: Records


class Subscriber:
    """Books that are exactly the engine's, however late it joins and whatever gets lost.

    It subscribes first, then asks for a snapshot, drops what the snapshot holds already and applies
    the rest; a gap in a topic's numbers, or a heartbeat that knows of more, leads to a new
    snapshot. `symbols` None follows every instrument, also those listed later. Raises TimeoutError
    when no snapshot comes within `timeout_s`, TouchlineError when the publisher refuses or is of
    another version or none of ours. After a TimeoutError the next `poll` tries again. Used after
    `close`, in another thread or after a fork it raises TouchlineError. Addresses are ZeroMQ's:
    tcp://HOST:PORT, tcp://[::1]:PORT for IPv6, and ipc://PATH.

    A venue that asks for keys needs both: `key`, the path of this subscriber's own secret file
    (`touchline keys make`), and `server_key`, the venue's public key or the file that holds it. A
    key that is not allowed is a TouchlineError that names it.

    With `conflate` nothing is queued for it: each `poll` asks for what has changed since the one
    before, and gets the newest best prices, statistics and `levels` levels a side, whatever came
    in between. For who reads slowly, or now and then.
    """

    def __init__(
        self,
        publish: str = "tcp://127.0.0.1:5556",
        snapshot: str = "tcp://127.0.0.1:5557",
        symbols: Sequence[str] | None = None,
        kinds: Sequence[Kind] = KINDS,
        timeout_s: float = 5.0,
        *,
        key: str | Path | None = None,
        server_key: str | Path | None = None,
        conflate: bool = False,
        levels: int = 10,
    ) -> None:
        self.event_seq = 0  # up to here nothing is missing in any book followed
        self.resyncs = 0  # snapshots asked for after the first: losses not filled
        self.filled = 0  # records lost and got from history
        for name, address in (("publish", publish), ("snapshot", snapshot)):
            if not isinstance(address, str):
                raise TypeError(f"{name} is {address!r}; an address is wanted, tcp://HOST:PORT")
        self._symbols = None if symbols is None else list(dict.fromkeys(symbols))
        if isinstance(symbols, str | bytes) or not all(
            isinstance(symbol, str) for symbol in self._symbols or ()
        ):
            raise TypeError(f"symbols is {symbols!r}; a sequence of symbols, or None, is wanted")
        self._wanted = None if self._symbols is None else frozenset(self._symbols)
        self._kinds = [Kind(kind) for kind in kinds]
        self._timeout_ms = max(1, int(checked_seconds(timeout_s, "timeout_s", 86_400) * 1000))
        self._snapshot_address = snapshot
        self._books: dict[str, Book] = {}
        self._conflate = conflate
        self._levels = checked_whole(levels, "levels", 1, 1 << 20) if conflate else 0
        self._epoch = 0
        self._has_history = False
        self._epoch_before: int | None = None
        self._request_id = 0
        self._owner = threading.current_thread()
        self._process = os.getpid()
        self._keys = ClientKeys.of(key, server_key)
        self._context: zmq.Context[Any] = zmq.Context()
        self._updates = self._socket(zmq.SUB, UPDATES_MAX, UPDATE_BYTES_MAX)
        self._requests = self._socket(zmq.DEALER, REPLIES_MAX, REPLY_BYTES_MAX)
        sockets = [self._updates, self._requests]
        self._refusals = Refusals(self._context, sockets, self._keys)
        # Also when this goes without close(), in whatever order the garbage collector comes by.
        self._let_go = weakref.finalize(
            self, _let_go, self._process, self._context, *self._refusals.sockets, *sockets
        )
        try:
            self._connect(publish, snapshot)
            self._take_snapshot(self._symbols)
        except BaseException:
            self.close()
            raise

    def _socket(self, kind: int, messages_max: int, bytes_max: int) -> zmq.Socket[Any]:
        """A socket that holds so much at the most, and that nothing keeps from being closed."""
        made: zmq.Socket[Any] = self._context.socket(kind)
        made.linger = 0
        made.ipv6 = True
        made.sndhwm = REPLIES_MAX
        made.rcvhwm = messages_max
        made.maxmsgsize = bytes_max
        if self._keys is not None:
            self._keys.apply(made)
        return made

    def _connect(self, publish: str, snapshot: str) -> None:
        self._requests.connect(snapshot)
        if self._conflate:
            return
        every = self._symbols is None or len(self._symbols) * len(self._kinds) > TOPICS_MAX
        for kind in self._kinds:
            if every:
                self._updates.subscribe(topic(kind))
                continue
            for symbol in self._symbols or ():
                self._updates.subscribe(topic(kind, symbol))
        # Subscriptions take effect in order: whoever gets a heartbeat gets all the rest.
        self._updates.subscribe(HEARTBEAT_TOPIC)
        self._updates.connect(publish)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Subscriber can not be copied or pickled: it holds sockets; another process opens "
            "its own"
        )

    def close(self) -> None:
        """Close the sockets; harmless when done twice. After a fork the child closes nothing."""
        if self._process != os.getpid() or self._context.closed:
            return
        self._check_owner()
        self._let_go()

    def _check_owner(self) -> None:
        if self._process != os.getpid():
            raise TouchlineError(
                f"this subscriber belongs to process {self._process}; make another after a fork"
            )
        if self._owner is not threading.current_thread():
            raise TouchlineError(
                f"this subscriber belongs to thread {self._owner.name!r}, not to "
                f"{threading.current_thread().name!r}; make one in each thread"
            )
        if self._context.closed:
            raise TouchlineError("this subscriber is closed")

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
        """
        self._check_owner()
        timeout_ms = int(checked_seconds(timeout_s, "timeout_s", 86_400) * 1000)
        checked_whole(updates_max, "updates_max", 1)
        found: list[Update] = []
        if self._conflate:
            return self._poll_newest(timeout_ms)
        waiting = self._updates.poll(timeout_ms)
        if not waiting:
            self._refusals.look()
        while waiting and len(found) < updates_max:
            try:
                self._handle(self._updates.recv_multipart(), found)
            except TimeoutError:
                if not found:
                    raise
                break  # what has been applied is told first; the loss shows again
            waiting = self._updates.poll(0)
        return found

    def _poll_newest(self, timeout_ms: int) -> list[Update]:
        """What has changed since the last time, of each instrument and kind one update."""
        while not (found := self._newest()) and timeout_ms > 0:
            self._refusals.poll(self._requests, min(timeout_ms, CONFLATE_WAIT_MS))
            timeout_ms -= CONFLATE_WAIT_MS
        return found

    def _newest(self) -> list[Update]:
        reply = self._ask(
            {"symbols": self._symbols, "since": self.event_seq, "levels": self._levels},
            decode.reply,
        )
        if reply.error is not None:
            raise TouchlineError(f"{self._snapshot_address}: {reply.error}")
        if reply.epoch != self._epoch:  # another journal's numbers tell nothing here
            self._take_snapshot(self._symbols)
            return self._told(list(self._books.values()))
        changed = [book_of(snapshot) for snapshot in reply.instruments]
        self._books.update({book.instrument.symbol: book for book in changed})
        self.event_seq = reply.event_seq
        return self._told(changed)

    def _told(self, books: list[Book]) -> list[Update]:
        """The newest of each kind that is followed, as updates."""
        found: list[Update] = []
        for book in books:
            for kind, records in book.newest(self._levels):
                if kind in self._kinds:
                    told = Update(kind, book.instrument.symbol, book.event_seq, book.ts_ns, records)
                    found.append(told)
        return found

    def _handle(self, frames: list[bytes], found: list[Update]) -> None:
        """Apply a message, and what was missing before it; what was new goes into `found`."""
        told = decode.message(frames)
        if not self._of_this_journal(told.epoch):
            return
        if told.kind == Kind.HEARTBEAT:
            if self._misses_something(told.records, found):
                self._resync(self._symbols)
            self.event_seq = max(self.event_seq, told.event_seq)
            found.append(Update(told.kind, "", told.event_seq, told.ts_ns, told.records))
        # A subscription to A also brings "A/B".
        elif self._wanted is None or told.symbol in self._wanted:
            records = self._new_records(told, found)
            if len(records):
                self._take(told, records, found)

    def _take(self, told: decode.Message, records: Records, found: list[Update]) -> None:
        book = self._books[told.symbol]
        book.apply(told.kind, records)
        book.seqs[told.kind] = told.first_seq + len(told.records) - 1
        found.append(Update(told.kind, told.symbol, told.event_seq, told.ts_ns, records))

    def _of_this_journal(self, epoch: int) -> bool:
        """Is a message of the journal the books are of? Another journal's begin anew."""
        if epoch == self._epoch:
            self._epoch_before = None
            return True
        if epoch == self._epoch_before:
            return False  # queued before the change that a snapshot has told of
        self._resync(self._symbols)
        return epoch == self._epoch

    def _new_records(self, told: decode.Message, found: list[Update]) -> Records:
        """Those behind what the book has; what is missing between is filled from history, or else
        there is a snapshot first."""
        kind, symbol, first_seq, records = told.kind, told.symbol, told.first_seq, told.records
        book = self._books.get(symbol)
        if book is None or (
            kind in STREAMS
            and first_seq > book.seqs[kind] + 1
            and not self._fill(book, kind, first_seq - 1, found)
        ):
            self._resync([symbol])
        have = self._books[symbol].seqs[kind]
        if kind == Kind.STATISTICS:
            return records if first_seq > have else records[:0]
        if first_seq > have + 1:
            return records[:0]  # the next message or heartbeat shows the gap again
        return records[max(0, have + 1 - first_seq) :]

    def _fill(self, book: Book, kind: Kind, last: int, found: list[Update]) -> bool:
        """Get a book's records of a kind up to number `last` from history. False when they are too
        many, or not there: then there must be a snapshot."""
        have, symbol = book.seqs[kind], book.instrument.symbol
        if not self._has_history or (last - have > FILL_MAX and kind in STREAMS):
            return False
        while have < last:
            wanted = {"symbol": symbol, "kind": kind.name.lower(), "first": have + 1, "last": last}
            answer = self._ask({"history": wanted}, decode.answer)
            if answer.error is not None or answer.epoch != self._epoch or not answer.frames:
                return False
            for frame in answer.frames:
                told = decode.message([topic(kind, symbol), frame])
                if told.epoch != self._epoch or (told.first_seq != have + 1 and kind in STREAMS):
                    return False
                have = told.first_seq + len(told.records) - 1
                self._take(told, told.records, found)
                self.filled += len(told.records)
        return True

    def _misses_something(self, heartbeat: Records, found: list[Update]) -> bool:
        """Does a heartbeat know of more, and history does not?"""
        books = {book.instrument.index: book for book in self._books.values()}
        for row in heartbeat:
            book = books.get(int(row["instrument"]))
            if book is None:
                if self._symbols is None:
                    return True
                continue
            for kind in self._kinds:
                last = int(row[_SEQ_FIELDS[kind]])
                if last > book.seqs[kind] and not self._fill(book, kind, last, found):
                    return True
        return False

    def _resync(self, symbols: Sequence[str] | None) -> None:
        self.resyncs += 1
        self._take_snapshot(symbols)

    def _take_snapshot(self, symbols: Sequence[str] | None) -> None:
        """Replace the books named by a snapshot; meanwhile updates queue in their socket."""
        wanted = None if symbols is None else list(symbols)
        levels = {"levels": self._levels} if self._conflate else {}
        reply = self._ask({"symbols": wanted} | levels, decode.reply)
        self._has_history = reply.has_history
        if reply.error is not None:
            raise TouchlineError(f"{self._snapshot_address}: {reply.error}")
        if reply.epoch != self._epoch:
            self._epoch_before, self._epoch = self._epoch, reply.epoch
            self._books.clear()
            if symbols != self._symbols:
                self._take_snapshot(self._symbols)
                return
        for snapshot in reply.instruments:
            self._books[snapshot.instrument.symbol] = book_of(snapshot)
        if symbols == self._symbols:
            self.event_seq = reply.event_seq

    def history(self, symbol: str, kind: Kind, first: int, last: int) -> Records:
        """Records `first` to `last` of a topic, as far as the venue has kept them; of statistics
        the newest alone.

        Shape (n,), of the kind's dtype; the first one that is kept may have a higher number than
        `first`, and `event_seq` tells which event each is of. Raises TouchlineError when the venue
        keeps none, for an unknown symbol, or another kind; TimeoutError without an answer.
        """
        self._check_owner()
        found: list[Records] = []
        while first <= last:
            wanted = {
                "symbol": symbol,
                "kind": Kind(kind).name.lower(),
                "first": first,
                "last": last,
            }
            answer = self._answered({"history": wanted})
            name = topic(kind, symbol)
            found += [decode.message([name, frame]).records for frame in answer.frames]
            last_told = answer.facts.get("last", 0)
            if not answer.frames or last_told < first or kind == Kind.STATISTICS:
                break
            first = last_told + 1
        return np.concatenate(found) if found else np.zeros(0, RECORDS[Kind(kind)])

    def bars(self, symbol: str, seconds: int, from_ns: int, until_ns: int) -> Records:
        """Open, high, low, close, volume and turnover of each interval that had a trade.

        Shape (n,), dtype BAR; intervals of `seconds` begin at multiples of it since 1970 UTC. Only
        trades that the venue has kept count. Raises as `history` does.
        """
        self._check_owner()
        found: list[Records] = []
        while from_ns < until_ns:
            wanted = {
                "symbol": symbol, "seconds": seconds, "from_ns": from_ns, "until_ns": until_ns,
            }  # fmt: skip
            answer = self._answered({"bars": wanted})
            until = answer.facts.get("until_ns", 0)
            if len(answer.frames) != 1 or until <= from_ns or len(answer.frames[0]) % BAR.itemsize:
                raise TouchlineError(f"{self._snapshot_address}: bars that cannot be read")
            found.append(np.frombuffer(answer.frames[0], BAR))
            from_ns = until
        return np.concatenate(found) if found else np.zeros(0, BAR)

    def _answered(self, wanted: dict[str, Any]) -> decode.Answer:
        answer = self._ask(wanted, decode.answer)
        if answer.error is not None:
            raise TouchlineError(f"{self._snapshot_address}: {answer.error}")
        return answer

    def _ask(self, wanted: dict[str, Any], read: Callable[[list[bytes], str], _Told]) -> _Told:
        """What is told on a request, which is sent again each second without an answer. Answers to
        requests given up before are passed over."""
        self._request_id += 1
        request = json.dumps({"id": self._request_id} | wanted).encode()
        left_ms = self._timeout_ms
        while left_ms > 0:
            self._refusals.look()
            # While nobody is there, requests wait in the socket, and no more than it holds.
            if self._requests.poll(0, zmq.POLLOUT):
                self._requests.send(request, zmq.DONTWAIT)
            wait_ms = min(left_ms, ASK_AGAIN_MS)
            for _ in range(2 * REPLIES_MAX):
                if not self._refusals.poll(self._requests, wait_ms):
                    break
                frames = self._requests.recv_multipart()
                if decode.request_id(frames, self._snapshot_address) == self._request_id:
                    return read(frames, self._snapshot_address)
            left_ms -= wait_ms
        raise TimeoutError(
            f"no snapshot from {self._snapshot_address} within {self._timeout_ms / 1000} s; "
            "is the publisher running?"
        )

    def __iter__(self) -> Iterator[Update]:
        """Updates for ever, heartbeats included."""
        while True:
            yield from self.poll(1.0)


def _let_go(process: int, context: zmq.Context[Any], *sockets: zmq.Socket[Any]) -> None:
    """Close sockets and context in the process that made them; nothing unsent is waited for."""
    if process == os.getpid():
        for socket in sockets:
            socket.close(linger=0)
        context.term()


_SEQ_FIELDS = {kind: f"{kind.name.lower()}_seq" for kind in KINDS}
