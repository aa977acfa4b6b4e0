"""The snapshot port: whoever asks gets all levels, and nobody who asks holds market data up.

   ROUTER ─► request ─► queue of asks ─► built in slices ─► sent in slices
                └ dropped: its asker has an answer on the way, the queue or the memory is full

Everything happens in the publisher's thread between two batches of events, a slice at a time; all
that an asker can make grow has a bound, and what goes beyond it is dropped and counted. Requests
cost tokens, of which each tick gives some: without any left, requests wait in their sockets, from
which each asker is served in turn.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import zmq

from touchline.control.publish import history, requests
from touchline.control.publish.history import Bars, Range
from touchline.control.publish.listing import Listing
from touchline.control.publish.sockets import REQUEST_BYTES_MAX, TICKS_A_SECOND, Socket
from touchline.marketdata.mirror import Mirror

READS_A_SECOND = 1_000  # requests taken from the socket
READ_BYTES = 256  # of a request that cost as much as taking another one
REPLY_BYTES_A_SECOND = 64 << 20
REPLIES_A_SECOND = 100
LATEST_COST = REPLY_BYTES_A_SECOND // 1_000  # the same of one of what has changed alone
HISTORY_COST = REPLY_BYTES_A_SECOND // 400  # the same of an answer from the archive
REPLY_COST = REPLY_BYTES_A_SECOND // REPLIES_A_SECOND  # the least that a reply costs, in bytes
READS_A_TURN = 8
FRAMES_A_TURN = 64  # of a message that has too many
FRAMES_MAX = 4  # of a message that is looked at
ASKS_MAX = 256  # waiting for their turn
OUTSTANDING_BYTES_MAX = 64 << 20  # of replies that their askers have not taken
SLICE_INSTRUMENTS = 64
SLICE_LEVELS = 10_000
INSTRUMENT_BYTES = 600  # of its part of the first frame, about
LEVEL_BYTES = 40


@dataclass(frozen=True, slots=True)
class Ask:
    """A request in the queue; `envelope` is what its reply begins with."""

    asker: bytes
    envelope: list[bytes]
    request_id: int | str | None
    wanted: requests.Request | Range | Bars  # snapshots, or history


class Allowance:
    """Tokens: each tick adds a share of a second's, up to those of a second; it may be overdrawn
    once, and is paid back before anything else is allowed."""

    def __init__(self, a_second: int) -> None:
        self._a_second = a_second
        self._left = a_second

    @property
    def left(self) -> bool:
        return self._left > 0

    def tick(self) -> None:
        self._left = min(self._a_second, self._left + self._a_second // TICKS_A_SECOND)

    def spend(self, tokens: int) -> None:
        self._left -= tokens


class Snapshots:
    """Requests in, replies out. `answered` and `dropped` count them."""

    def __init__(self, socket: Socket, mirror: Mirror, listing: Listing) -> None:
        self.answered = 0
        self.dropped = 0
        self._socket = socket
        self.has_history = False  # the mirror keeps its records
        self._mirror = mirror
        self._listing = listing
        self._asks: deque[Ask] = deque()
        self._askers: set[bytes] = set()  # of asks that wait or are being answered
        self._outstanding: dict[bytes, tuple[Any, int]] = {}  # tracker of the last frame, bytes
        self._work: Iterator[None] | None = None
        self._reads = Allowance(READS_A_SECOND)
        self._bytes = Allowance(REPLY_BYTES_A_SECOND)
        self._skipping = False  # the rest of a message with too many frames

    def tick(self) -> None:
        """A twentieth of a second has gone by."""
        self._reads.tick()
        self._bytes.tick()

    @property
    def outstanding_bytes(self) -> int:
        """Of replies that their askers have not taken yet."""
        self._forget_taken()
        return sum(size for _, size in list(self._outstanding.values()))

    def turn(self) -> bool:
        """Take requests and do one slice of work. True when a reply has been sent to its end."""
        self._take_requests()
        answered = self.answered
        if self._work is None and self._asks and self._bytes.left:
            self._work = self._reply(self._asks.popleft())
        if self._work is not None and next(self._work, self) is self:
            self._work = None
        return self.answered > answered

    @property
    def busy(self) -> bool:
        """Is there a slice of work to do at once?"""
        return self._work is not None or (bool(self._asks) and self._bytes.left)

    # ── requests ──────────────────────────────────────────────────────────────────────────────

    def _take_requests(self) -> None:
        if self._skipping:
            self._skip_frames()
        for _ in range(READS_A_TURN):
            if self._skipping or not self._reads.left:
                return
            try:
                frames = self._frames()
            except zmq.Again:
                return
            size = sum(len(frame) for frame in frames)
            self._reads.spend(1 + size // READ_BYTES)
            if self._skipping or size > REQUEST_BYTES_MAX + len(frames[0]):
                self.dropped += 1
            else:
                self._take(frames)

    def _frames(self) -> list[bytes]:
        """The next message, or the first frames of one that has too many."""
        socket = self._socket
        frames = [socket.recv(zmq.DONTWAIT)]
        while socket.getsockopt(zmq.RCVMORE):
            if len(frames) > FRAMES_MAX:
                self._skipping = True
                break
            frames.append(socket.recv())
        return frames

    def _skip_frames(self) -> None:
        for _ in range(FRAMES_A_TURN):
            self._socket.recv()
            if not self._socket.getsockopt(zmq.RCVMORE):
                self._skipping = False
                return

    def _take(self, frames: list[bytes]) -> None:
        asker, *rest = frames
        envelope = [asker]
        if len(rest) > 1 and not rest[0]:
            # A REQ socket puts an empty frame before its request and wants it back.
            envelope.append(rest.pop(0))
        self._forget_taken()
        if asker in self._askers or asker in self._outstanding or len(self._asks) >= ASKS_MAX:
            self.dropped += 1
            return
        try:
            request = requests.parse(rest)
            wanted = self._understood(request)
        except requests.BadRequest as wrong:
            self._refuse(envelope, wrong)
            return
        self._askers.add(asker)
        self._asks.append(Ask(asker, envelope, request.request_id, wanted))

    def _understood(self, request: requests.Request) -> requests.Request | Range | Bars:
        """What a request wants; or BadRequest."""
        listed = self._listing.numbers
        if request.history is None and request.bars is None:
            requests.choose(request.symbols, listed, request.request_id)
            return request
        if not self.has_history:
            raise requests.BadRequest("no history is kept", request.request_id)
        if request.bars is not None:
            return requests.bars_of(request, listed)
        return requests.range_of(request, listed)

    def _refuse(self, envelope: list[bytes], wrong: requests.BadRequest) -> None:
        self._bytes.spend(REPLY_COST)
        frame = requests.refusal(wrong)
        if self._send(envelope[0], zmq.SNDMORE):
            for middle in envelope[1:]:
                self._socket.send(middle, zmq.SNDMORE)
            self._follow(envelope[0], frame, len(frame))
            self.answered += 1

    # ── replies ───────────────────────────────────────────────────────────────────────────────

    def _reply(self, ask: Ask) -> Iterator[None]:
        try:
            if isinstance(ask.wanted, Range | Bars):
                yield from self._build_history(ask, ask.wanted)
            else:
                yield from self._build(ask, ask.wanted)
        finally:
            self._askers.discard(ask.asker)

    def _build_history(self, ask: Ask, wanted: Range | Bars) -> Iterator[None]:
        """Its size is bounded, so it is paid for before it is built, and whole."""
        if self.outstanding_bytes + history.ANSWER_BYTES_MAX > OUTSTANDING_BYTES_MAX:
            self.dropped += 1
            return
        is_range = isinstance(wanted, Range)
        work = (
            history.build_range(self._mirror, wanted)
            if isinstance(wanted, Range)
            else history.build_bars(self._mirror, wanted)
        )
        for built in work:
            if built is None:
                yield
                continue
            facts, frames = built
            if "error" in facts:
                wrong = requests.BadRequest(facts["error"], ask.request_id)
                self._refuse(ask.envelope, wrong)
                return
            name = "history" if is_range else "bars"
            head = history.head_frame(ask.request_id, self._mirror, name, facts)
            size = sum(len(frame) for frame in frames)
            self._bytes.spend(max(size, HISTORY_COST))
            yield from self._send_reply(ask, [head, *frames])

    def _build(self, ask: Ask, wanted: requests.Request) -> Iterator[None]:
        """Build and send one reply; every step is a slice. Updates that come between two slices
        are in the parts built after them, so it holds at the first slice's event or later."""
        mirror = self._mirror
        at = mirror.epoch, mirror.event_seq, mirror.ts_ns
        numbers = requests.choose(wanted.symbols, self._listing.numbers, ask.request_id)
        if wanted.since:
            numbers = [n for n in numbers if mirror.state(n).changed_seq > wanted.since]
        most = 2 * wanted.levels or sys.maxsize
        size = sum(
            INSTRUMENT_BYTES + LEVEL_BYTES * min(most, mirror.state(number).levels)
            for number in numbers
        )
        held = self.outstanding_bytes
        if held and held + size > OUTSTANDING_BYTES_MAX:
            self.dropped += 1
            return
        self._bytes.spend(max(size, LATEST_COST if wanted.since else REPLY_COST))
        parts: list[str] = []
        books: list[bytes] = []
        levels = 0
        for count, number in enumerate(numbers, 1):
            state = mirror.state(number)
            parts.append(
                requests.instrument_json(
                    self._listing.instrument(number), state, mirror.entry_status
                )
            )
            books.append(mirror.levels(number, wanted.levels))
            levels += min(most, state.levels)
            if count % SLICE_INSTRUMENTS == 0 or levels > SLICE_LEVELS:
                levels = 0
                yield
        frames = [requests.head_frame(ask.request_id, at, self.has_history, parts), *books]
        yield from self._send_reply(ask, frames)

    def _send_reply(self, ask: Ask, frames: list[bytes]) -> Iterator[None]:
        if not self._send(ask.asker, zmq.SNDMORE):
            return
        *middle, last = [*ask.envelope[1:], *frames]
        for count, frame in enumerate(middle, 1):
            self._socket.send(frame, zmq.SNDMORE)
            if count % SLICE_INSTRUMENTS == 0:
                yield
        self._follow(ask.asker, last, sum(len(frame) for frame in frames))
        self.answered += 1

    def _send(self, asker: bytes, flags: int) -> bool:
        """The frame that chooses the asker; False, and counted, when it is gone or does not read.
        The frames after it cannot fail."""
        try:
            self._socket.send(asker, zmq.DONTWAIT | flags)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            self.dropped += 1
            return False
        return True

    def _follow(self, asker: bytes, last: bytes, size: int) -> None:
        """Send a reply's last frame, and remember the reply until that frame has left."""
        tracker = self._socket.send(last, copy=False, track=True)
        self._outstanding[asker] = tracker, size

    def _forget_taken(self) -> None:
        held = list(self._outstanding.items())  # a copy: tests count from another thread
        for asker in [asker for asker, (tracker, _) in held if tracker.done]:
            self._outstanding.pop(asker, None)
