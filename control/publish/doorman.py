"""Who may stay connected to a port: so many peers, and each with so many bytes to say.

ZeroMQ bounds what it holds of whole messages, but neither how many peers come, nor the parts of a
message without an end, nor the subscriptions of one peer. What a peer has sent is the kernel's to
count. Whoever goes beyond is cut off, and everything held for it is free; an honest peer that has
said so much in a long time connects again by itself. Linux alone tells these counts.
"""

from __future__ import annotations

import itertools
import os
import socket as sockets
from dataclasses import dataclass
from struct import Struct
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from touchline.control.publish.sockets import Context, Socket

PEERS_MAX = 256
ARRIVALS_A_LOOK = 512
PEERS_A_LOOK = 16
_TCP_INFO_BYTES = 136
_BYTES_RECEIVED = Struct("=Q")
_BYTES_RECEIVED_AT = 128  # tcpi_bytes_received in struct tcp_info
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Peer:
    """A connection, by our descriptor and the address at its other end."""

    descriptor: int
    address: Any


class Doorman:
    """Looks at the connections of one bound socket. `cut` counts those cut off.

    When there are too many, whoever comes is sent away; with `make_room`, whoever has been there
    longest, so that nobody keeps a port from others by staying.
    """

    def __init__(
        self, context: Context, socket: Socket, bytes_max: int, make_room: bool = False
    ) -> None:
        self.cut = 0
        self._make_room = make_room
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
        """Let in who has come, and look at some of those who are there."""
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
            address = _peer_address(connection)
            if address is None:
                return
            if len(self._peers) >= PEERS_MAX and descriptor not in self._peers:
                self._forget_gone()
            if len(self._peers) >= PEERS_MAX and descriptor not in self._peers:
                if not self._make_room:
                    self._cut_off(connection)
                    return
                self._send_away(next(iter(self._peers.values())))
            self._peers.pop(descriptor, None)
            self._peers[descriptor] = Peer(descriptor, address)

    def _send_away(self, peer: Peer) -> None:
        del self._peers[peer.descriptor]
        connection = _borrowed(peer.descriptor)
        if connection is not None:
            with connection:
                if _peer_address(connection) == peer.address:
                    self._cut_off(connection)

    def _inspect(self, peer: Peer) -> None:
        connection = _borrowed(peer.descriptor)
        if connection is None:
            del self._peers[peer.descriptor]
            return
        with connection:
            if _peer_address(connection) != peer.address:
                del self._peers[peer.descriptor]
            elif _bytes_received(connection) > self._bytes_max:
                del self._peers[peer.descriptor]
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


def _peer_address(connection: sockets.socket) -> Any:
    """Who is at the other end; None when nobody is any more."""
    try:
        return connection.getpeername() or None
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
