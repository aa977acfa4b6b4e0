"""The publisher: market data from events to ZeroMQ, and snapshots for whoever asks.

   event ring ──► EventFeed ──► Mirror ──► PUB     one topic per instrument and kind
                                   └─────► ROUTER  a snapshot per request

At its start it rebuilds the mirror from the journal's first event, in silence, and then publishes
what is new. One thread owns the mirror and the sockets. A slow subscriber loses messages beyond its
high-water mark and finds out by their numbers; it never holds up the publisher.
"""

from __future__ import annotations

import json
import threading
from array import array
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any

import numpy as np
import zmq

from touchline.config import Config
from touchline.control.publish.depth import InstrumentDepth, Mirror, SideDepth
from touchline.control.supervisor.names import read_names
from touchline.control.supervisor.ticker import Ticker, wait_for_events
from touchline.core.messages import TEXT_BYTES
from touchline.instruments import Instrument
from touchline.marketdata.layout import (
    HEARTBEAT,
    HEARTBEAT_TOPIC,
    RECORDS,
    STREAMS,
    VERSION,
    Kind,
    topic,
)
from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed

EVENTS_MAX = 4096  # in one batch
REQUESTS_MAX = 64  # answered before the next batch
REQUEST_BYTES_MAX = 1 << 20
MESSAGES_MAX = 10_000  # held for one slow subscriber
LINGER_MS = 1000
WAIT_S = 0.02  # how long a snapshot request may wait while nothing trades

_HEADER = Struct("<QQQqIHBB")
_CELLS = tuple(RECORDS[kind].itemsize // 8 for kind in STREAMS)


class BadRequest(Exception):
    """A snapshot request that gets an answer saying what is wrong with it."""


class Publisher:
    """Mirror, sockets and the numbers of the topics. Use as a context manager.

    Names are read from the journal when a number without one turns up. Raises OSError when an
    address cannot be bound.
    """

    def __init__(
        self, feed: EventFeed, journal_dir: Path, *,
        publish: str, snapshot: str, heartbeat_s: float = 1.0,
    ) -> None:  # fmt: skip
        self.mirror = Mirror()
        self._feed = feed
        self._journal_dir = journal_dir
        self._instruments: dict[int, Instrument] = {}
        self._heartbeat_s = heartbeat_s
        self._context = zmq.Context()
        self._pub = self._context.socket(zmq.PUB)
        self._pub.sndhwm = MESSAGES_MAX
        self._router = self._context.socket(zmq.ROUTER)
        self._router.maxmsgsize = REQUEST_BYTES_MAX
        try:
            self.publish_endpoint = _bind(self._pub, publish)
            self.snapshot_endpoint = _bind(self._router, snapshot)
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Close the sockets, with some time for what subscribers have not got yet."""
        self._pub.close(linger=LINGER_MS)
        self._context.destroy(linger=0)

    def serve(self, stop: threading.Event, head: int) -> None:
        """Catch up with event `head` in silence, then publish until told to stop, to the end."""
        while self.mirror.event_seq < head and not stop.is_set():
            if not self.step(silent=True):
                wait_for_events(self._feed, stop, WAIT_S)
        if self.mirror.event_seq < head:
            return
        with Ticker(self._heartbeat_s) as ticker:
            while not stop.is_set():
                if not self.step():
                    wait_for_events(self._feed, stop, WAIT_S)
                # Whoever has just joined is told at once that it has everything.
                if self._answer_requests() or ticker.due():
                    self._send_heartbeat()
            while self.step():
                pass
            self._send_heartbeat()

    def step(self, silent: bool = False) -> int:
        """Publish the next batch of events; returns how many there were."""
        events = self._feed.read(EVENTS_MAX)
        for number in sorted(self.mirror.apply(events)):
            book = self.mirror.instruments[number]
            if not silent:
                self._publish(number, book)
            book.clear(_CELLS)
        return len(events)

    def _publish(self, number: int, book: InstrumentDepth) -> None:
        symbol = self._instrument(number).symbol
        for kind, rows in zip(STREAMS, book.rows(), strict=True):
            if rows:
                count = len(rows) // _CELLS[kind]
                header = self._header(kind, book.sent[kind] + 1, count, number)
                payload = header + array("q", rows).tobytes()
                self._pub.send_multipart((topic(kind, symbol), payload))

    def _header(self, kind: Kind, first_seq: int, count: int, number: int) -> bytes:
        mirror = self.mirror
        return _HEADER.pack(
            mirror.epoch, first_seq, mirror.event_seq, mirror.ts_ns, count, number, kind, VERSION
        )

    def _instrument(self, number: int) -> Instrument:
        if number not in self._instruments:
            self._instruments = dict(read_names(self._journal_dir).instruments)
        if number not in self._instruments:
            # Listed by a program that gave no name: its number serves as one.
            self._instruments[number] = Instrument(number, str(number), Decimal(1), Decimal(1))
        return self._instruments[number]

    def _send_heartbeat(self) -> None:
        rows = [(number, *book.sent) for number, book in self.mirror.instruments.items()]
        records = np.array(rows, HEARTBEAT)
        header = self._header(Kind.HEARTBEAT, 0, len(rows), 0)
        self._pub.send_multipart((HEARTBEAT_TOPIC, header + records.tobytes()))

    def _answer_requests(self) -> int:
        """Answer those waiting; returns how many got an answer."""
        answered = 0
        while answered < REQUESTS_MAX and self._router.poll(0):
            identity, *frames = self._router.recv_multipart()
            envelope = [identity]
            if len(frames) > 1 and not frames[0]:
                # A REQ socket puts an empty frame before its request and wants it back.
                envelope.append(frames.pop(0))
            with suppress(zmq.Again):  # the asker is gone or does not read
                self._router.send_multipart(envelope + self._answer(frames), zmq.DONTWAIT)
            answered += 1
        return answered

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        head: dict[str, Any] = {"version": VERSION}
        try:
            request = _request(frames)
            head["id"] = request.get("id")
            numbers = self._numbers(request.get("symbols"))
        except BadRequest as wrong:
            return [json.dumps(head | {"error": str(wrong)}).encode()]
        mirror = self.mirror
        head |= {
            "epoch": mirror.epoch,
            "event_seq": mirror.event_seq,
            "ts_ns": mirror.ts_ns,
            "instruments": [self._state(number) for number in numbers],
        }
        books = [mirror.instruments[number] for number in numbers]
        return [json.dumps(head).encode(), *(_levels(book) for book in books)]

    def _numbers(self, symbols: list[str] | None) -> list[int]:
        """Which instruments a request means; None means all that are listed."""
        numbers = {self._instrument(n).symbol: n for n in sorted(self.mirror.instruments)}
        if symbols is None:
            return list(numbers.values())
        for symbol in symbols:
            if symbol not in numbers:
                known = ", ".join(numbers) or "none yet"
                raise BadRequest(f"unknown symbol {symbol[:TEXT_BYTES]!r}; listed are: {known}")
        return [numbers[symbol] for symbol in dict.fromkeys(symbols)]

    def _state(self, number: int) -> dict[str, Any]:
        """All of an instrument but its levels."""
        mirror, instrument = self.mirror, self._instrument(number)
        book = mirror.instruments[number]
        bid, ask, trade = book.bids.top, book.asks.top, book.last_trade
        prices = book.bids.best_price, book.asks.best_price
        return {
            "symbol": instrument.symbol,
            "instrument": number,
            "tick_size": str(instrument.tick_size),
            "lot_size": str(instrument.lot_size),
            "currency": instrument.currency,
            "seqs": book.sent,
            "trading_status": book.trading_status,
            "entry_status": mirror.entry_status,
            "bbo": [mirror.event_seq, mirror.ts_ns, *prices, bid[0], ask[0], bid[1], ask[1]],
            "last_trade": trade and [*trade[:3], trade[3] & 0xFFFFFFFF, trade[3] >> 32],
        }


def _request(frames: list[bytes]) -> dict[str, Any]:
    """A request as data, or BadRequest naming what is wrong."""
    if len(frames) != 1:
        raise BadRequest(f"a request is one frame of JSON, not {len(frames)} frames")
    try:
        request = json.loads(frames[0])
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"not JSON: {frames[0][:40]!r}") from error
    if not isinstance(request, dict):
        raise BadRequest('a request is a JSON object such as {"id": 1, "symbols": ["AAA"]}')
    unknown = request.keys() - {"id", "symbols"}
    if unknown:
        raise BadRequest(f"unknown key {sorted(unknown)[0][:40]!r}; allowed are id and symbols")
    if not isinstance(request.get("id"), int | str | None):
        raise BadRequest("id is a number or a text")
    symbols = request.get("symbols")
    if symbols is not None and not (
        isinstance(symbols, list) and all(isinstance(symbol, str) for symbol in symbols)
    ):
        raise BadRequest("symbols is a list of symbols, or null for all")
    return request


def _levels(book: InstrumentDepth) -> bytes:
    """Both sides as DEPTH records, bids before asks, the best first."""
    rows: list[int] = []
    for side in (book.bids, book.asks):
        rows += _side_cells(side)
    return array("q", rows).tobytes()


def _side_cells(side: SideDepth) -> list[int]:
    return [
        cell
        for price, qty, orders in side.best_outwards()
        for cell in (0, 0, price, qty, orders | side.side_bits)
    ]


def _bind(socket: Any, address: str) -> str:
    """The endpoint bound, with the port the system chose for a port written as *."""
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise OSError(error.errno, f"cannot publish on {address}: {error.strerror}") from error
    return str(socket.last_endpoint.decode())


def run(config: Config, stop: threading.Event) -> int:
    """Publish until told to stop. Raises OSError when the venue or an address is not there."""
    with Bus.attach(config.bus_path) as bus:
        head = int(bus.status()["events"])
    settings = config.publish
    with (
        EventFeed(config.bus_path, config.journal_dir) as feed,
        Publisher(
            feed,
            config.journal_dir,
            publish=f"tcp://{settings.host}:{settings.pub_port}",
            snapshot=f"tcp://{settings.host}:{settings.snapshot_port}",
        ) as publisher,
    ):
        publisher.serve(stop, head)
    return 0
