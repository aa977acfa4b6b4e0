"""Who may stay connected to a port: so many peers, and each with so many bytes to say.

ZeroMQ bounds what it holds of whole messages, but neither how many peers come, nor the parts of a
message without an end, nor the subscriptions of one peer. What a peer has sent is the kernel's to
count. Whoever goes beyond is cut off, and everything held for it is free; an honest peer that has
said so much in a long time connects again by itself. Linux alone tells these counts, and of TCP
alone: of local sockets only the number is bounded.
"""

from __future__ import annotations

import itertools
import os
import socket as sockets
from dataclasses import dataclass
from struct import Struct

import zmq
from zmq.utils.monitor import parse_monitor_message

from touchline.control.publish.sockets import HANDSHAKE_MS, TICKS_A_SECOND, Context, Socket

PEERS_MAX = 256
ARRIVALS_A_LOOK = 512
PEERS_A_LOOK = 16
HANDSHAKE_LOOKS = (HANDSHAKE_MS // 1000 + 1) * TICKS_A_SECOND
_TCP_INFO_BYTES = 136
_BYTES_RECEIVED = Struct("=Q")
_BYTES_RECEIVED_AT = 128  # tcpi_bytes_received in struct tcp_info
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Peer:
    """A connection, by our descriptor and the socket that it is of, and when it came."""

    descriptor: int
    inode: int
    came: int


class Doorman:
    """Looks at the connections of one bound socket. `cut` counts those cut off.

    When there are too many, whoever comes is sent away; with `make_room`, whoever has been there
    longest, so that nobody keeps a port from others by staying. With `strangers_first`, for a
    port that asks for keys, first of all those go who came less than a handshake ago: whoever has
    been there for longer has an allowed key.
    """

    def __init__(
        self, context: Context, socket: Socket, bytes_max: int,
        make_room: bool = False, strangers_first: bool = False,
    ) -> None:  # fmt: skip
        self.cut = 0
        self._looks = 0
        self._make_room = make_room
        self._strangers_first = strangers_first
        self._young: dict[int, Peer] = {}  # of _peers, those who may be strangers, oldest first
        self._bytes_max = bytes_max
        self._peers: dict[int, Peer] = {}
        self._waiting: list[int] = []  # descriptors to look at before it is everybody's turn again
        address = f"inproc://doorman-{next(_numbers)}"
        socket.monitor(address, zmq.EVENT_ACCEPTED)
        self._arrivals = context.socket(zmq.PAIR)
        self._arrivals.linger = 0
        self._arrivals.rcvhwm = 0  # the input thread must not wait for us
        self._arrivals.connect(address)

    def look(self) -> None:
        """Let in who has come, and look at some of those who are there: once a tick."""
        self._looks += 1
        grown = [n for n, peer in self._young.items() if peer.came + HANDSHAKE_LOOKS < self._looks]
        for descriptor in grown:
            del self._young[descriptor]
        for _ in range(ARRIVALS_A_LOOK):
            try:
                frames = self._arrivals.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            self._arrived(parse_monitor_message(frames)["value"])
        if not self._waiting:
            self._waiting = list(self._peers)
        for descriptor in self._waiting[:PEERS_A_LOOK]:
            if descriptor in self._peers:
                self._inspect(self._peers[descriptor])
        del self._waiting[:PEERS_A_LOOK]

    def _arrived(self, descriptor: int) -> None:
        connection = _borrowed(descriptor)
        if connection is None:
            return
        with connection:
            self._forget(descriptor)
            if len(self._peers) >= PEERS_MAX:
                self._forget_gone()
            if len(self._peers) >= PEERS_MAX:
                place = self._place_of_another()
                if place is None:
                    self._cut_off(connection)
                    return
                self._send_away(place)
            peer = Peer(descriptor, os.fstat(connection.fileno()).st_ino, self._looks)
            self._peers[descriptor] = self._young[descriptor] = peer

    def _place_of_another(self) -> Peer | None:
        """Who goes for a newcomer; None when it is the newcomer."""
        if self._strangers_first and self._young:
            return next(iter(self._young.values()))
        return next(iter(self._peers.values())) if self._make_room else None

    def _forget(self, descriptor: int) -> None:
        self._peers.pop(descriptor, None)
        self._young.pop(descriptor, None)

    def _send_away(self, peer: Peer) -> None:
        self._forget(peer.descriptor)
        connection = _borrowed(peer.descriptor)
        if connection is not None:
            with connection:
                if os.fstat(connection.fileno()).st_ino == peer.inode:
                    self._cut_off(connection)

    def cut_all(self) -> None:
        """Cut everybody off; who may come comes again."""
        for peer in list(self._peers.values()):
            self._send_away(peer)

    def _inspect(self, peer: Peer) -> None:
        connection = _borrowed(peer.descriptor)
        if connection is None:
            self._forget(peer.descriptor)
            return
        with connection:
            if os.fstat(connection.fileno()).st_ino != peer.inode:
                self._forget(peer.descriptor)
            elif _bytes_received(connection) > self._bytes_max:
                self._forget(peer.descriptor)
                self._cut_off(connection)

    def _forget_gone(self) -> None:
        for peer in list(self._peers.values()):
            self._inspect(peer)

    def _cut_off(self, connection: sockets.socket) -> None:
        self.cut += 1
        try:
            connection.shutdown(sockets.SHUT_RDWR)
        except OSError:
            pass  # it has gone by itself


def _borrowed(descriptor: int) -> sockets.socket | None:
    """A second descriptor of a connection that is ZeroMQ's to close; None when there is none."""
    try:
        return sockets.socket(fileno=os.dup(descriptor))
    except OSError:
        return None


def _bytes_received(connection: sockets.socket) -> int:
    try:
        info = connection.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return 0
    if len(info) < _TCP_INFO_BYTES:
        return 0
    return int(_BYTES_RECEIVED.unpack_from(info, _BYTES_RECEIVED_AT)[0])
