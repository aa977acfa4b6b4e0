"""The publisher's two ports, made so that no peer can hold them up or make them grow.

   PUB     messages for a subscriber that has not taken 4,000 others are dropped for it; each time
           that this begins is counted
   ROUTER  a reply for an asker that does not read is dropped, and counted

Each port has a context, and so an input thread, of its own: snapshots never wait in front of
market data. A peer that is silent in its handshake is cut off, and so is one whose window stays
closed: what was held for it is free again.
"""

from __future__ import annotations

from typing import Any

import zmq

from touchline.marketdata.mirror import MESSAGE_BYTES_MAX

SUBSCRIBER_BYTES_MAX = 16 << 20  # held for one slow subscriber at the most
MESSAGES_MAX = SUBSCRIBER_BYTES_MAX // MESSAGE_BYTES_MAX
TOPIC_BYTES_MAX = 64  # of a subscription: kind, 36 bytes of symbol, two strokes
REQUEST_BYTES_MAX = 1 << 17
REQUESTS_WAITING_MAX = 16  # of one asker, in its socket
REPLIES_MAX = 2  # of one asker, in its socket
HANDSHAKE_MS = 5_000
STALLED_MS = 10_000  # a peer that has not read for so long is cut off
SUBSCRIBER_BUFFER_BYTES = 1 << 20  # the kernel's, for one subscriber
PEER_BUFFER_BYTES = 1 << 18  # the kernel's, in either direction of a snapshot connection
KEEPALIVE_S = 20
LINGER_MS = 1_000

Context = zmq.Context[Any]
Socket = zmq.Socket[Any]


def open_pub(context: Context, address: str) -> Socket:
    """The PUB socket on its address. Raises OSError naming the address."""
    socket = _guarded(context, zmq.PUB)
    socket.sndhwm = MESSAGES_MAX
    socket.maxmsgsize = TOPIC_BYTES_MAX
    socket.sndbuf = SUBSCRIBER_BUFFER_BYTES
    # A full subscriber is told to the sender, which counts it and sends to the others.
    socket.setsockopt(zmq.XPUB_NODROP, 1)
    return _bound(socket, address)


def open_router(context: Context, address: str) -> Socket:
    """The ROUTER socket on its address. Raises OSError naming the address."""
    socket = _guarded(context, zmq.ROUTER)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # an asker that is gone is told to the sender
    socket.sndhwm = REPLIES_MAX
    socket.rcvhwm = REQUESTS_WAITING_MAX
    socket.maxmsgsize = 2 * REQUEST_BYTES_MAX
    socket.sndbuf = socket.rcvbuf = PEER_BUFFER_BYTES
    socket.copy_threshold = 0  # a frame sent without a copy is followed until it has left
    return _bound(socket, address)


def _guarded(context: Context, kind: int) -> Socket:
    socket: Socket = context.socket(kind)
    socket.linger = 0
    socket.ipv6 = True
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.TCP_MAXRT, STALLED_MS)
    # Whoever has vanished without a word is the kernel's to find out, in any client's dialect.
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, KEEPALIVE_S)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, KEEPALIVE_S)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
    return socket


def _bound(socket: Socket, address: str) -> Socket:
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close()
        text = f"cannot publish on {address}: {zmq.strerror(error.errno or 0)}"
        raise OSError(error.errno, text) from error
    return socket


def endpoint_of(socket: Socket) -> str:
    """The endpoint bound, with the port the system chose for a port written as *."""
    return bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()


class Outlet:
    """The PUB socket, and how often a subscriber's room was used up: `dropped`.

    The first message that a subscriber has no room for is counted. Until it has read half of what
    waits, ZeroMQ passes it over without a word; how many it lost it knows by their numbers.
    """

    def __init__(self, socket: Socket) -> None:
        self.dropped = 0
        self._socket = socket

    def send(self, topic: bytes, payload: bytes) -> None:
        """To every subscriber that has room for it; never waits."""
        socket = self._socket
        try:
            socket.send(topic, zmq.SNDMORE | zmq.DONTWAIT)
        except zmq.Again:
            self.dropped += 1
            socket.setsockopt(zmq.XPUB_NODROP, 0)
            socket.send(topic, zmq.SNDMORE)
            socket.send(payload)
            socket.setsockopt(zmq.XPUB_NODROP, 1)
            return
        socket.send(payload)
