"""What the FIX acceptor tells of itself: plain values, made by touchline.wire.fix_server."""

from __future__ import annotations

from typing import NamedTuple


class Marks(NamedTuple):
    """What a session goes on from; `key`: of the last report on an event in its store.

    `created_ns`: when the numbers were last at 1, UTC.
    """

    next_out: int
    next_in: int
    answered: int
    lane_sent: int
    key: int
    created_ns: int


class Question(NamedTuple):
    """A whole, well-formed Logon of a configured session that is away: may its sender come in?

    `certificate`: common name of the client's, "" without TLS or without one. `asked_s`: monotonic
    seconds.
    """

    ticket: int
    session: int
    address: str
    port: int
    username: str
    password: str
    certificate: str
    heartbeat_s: int
    reset: bool
    asked_s: float


class ServerStatus(NamedTuple):
    """`rounds` goes on while the loop does; newcomers are here now, the rest since the opening."""

    rounds: int
    events: int
    newcomers: int
    accepted: int
    refused: int
    evicted: int
    received: int
    sent: int


class SessionStatus(NamedTuple):
    """How a session stands; times in UTC nanoseconds, 0: never. `unwritten` wait for the peer,
    `held` came before others they follow, `pending` are with the engine; `resets` by reset()."""

    state: str
    address: str
    since_ns: int
    next_in: int
    next_out: int
    unwritten: int
    held: int
    pending: int
    heartbeat_s: int
    last_in_ns: int
    last_out_ns: int
    resends: int
    resets: int
