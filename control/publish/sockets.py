"""The publisher's two ports, made so that no peer can hold them up or make them grow.

   PUB     messages for a subscriber that has not taken 4,000 others are dropped for it; each time
           that this begins is counted
   ROUTER  a reply for an asker that does not read is dropped, and counted

With a pair of keys both speak CURVE alone, and gatekeeper.py says whose key is let in.

Each port has a context, and so an input thread, of its own: snapshots never wait in front of
market data. A peer that is silent in its handshake is cut off, and so is one whose window stays
closed: what was held for it is free again.
"""

from __future__ import annotations

import os
import socket as unix
import stat
from collections.abc import Mapping, Sequence
from typing import Any

import zmq
import zmq.backend.cython._zmq

from touchline.errors import TouchlineError
from touchline.marketdata.keys import Pair
from touchline.marketdata.mirror import MESSAGE_BYTES_MAX, Mirror
from touchline.marketdata.outlet import Outlet

SUBSCRIBER_BYTES_MAX = 16 << 20  # held for one slow subscriber at the most
MESSAGES_MAX = SUBSCRIBER_BYTES_MAX // MESSAGE_BYTES_MAX
TOPIC_BYTES_MAX = 64  # of a subscription: kind, 36 bytes of symbol, two strokes
CURVE_BYTES_MAX = 512  # of a command of the handshake, to which the bound applies too
REQUEST_BYTES_MAX = 1 << 17
REQUESTS_WAITING_MAX = 16  # of one asker, in its socket
REPLIES_MAX = 2  # of one asker, in its socket
HANDSHAKE_MS = 5_000
STALLED_MS = 10_000  # a peer that has not read for so long is cut off
SUBSCRIBER_BUFFER_BYTES = 1 << 20  # the kernel's, for one subscriber
PEER_BUFFER_BYTES = 1 << 18  # the kernel's, in either direction of a snapshot connection
KEEPALIVE_S = 20
LINGER_MS = 1_000
LOCAL_MODE = 0o660  # of a local socket: its owner and group may connect
TICKS_A_SECOND = 20  # how often strangers and allowances are looked at
IPC = "ipc://"
ZAP_DOMAIN = b"touchline"

Context = zmq.Context[Any]
Socket = zmq.Socket[Any]
Topics = tuple[bytes, bytes, bytes, bytes, bytes]  # of an instrument, by Kind


def open_pub(context: Context, addresses: Sequence[str], pair: Pair | None = None) -> Socket:
    """The PUB socket on its addresses, with keys when `pair` is the venue's. Raises OSError
    naming the address."""
    socket = _guarded(context, zmq.PUB, pair)
    socket.sndhwm = MESSAGES_MAX
    socket.maxmsgsize = TOPIC_BYTES_MAX if pair is None else CURVE_BYTES_MAX
    socket.sndbuf = SUBSCRIBER_BUFFER_BYTES
    # A full subscriber is told to the sender, which counts it and sends to the others.
    socket.setsockopt(zmq.XPUB_NODROP, 1)
    return _bound(socket, addresses)


def open_router(context: Context, addresses: Sequence[str], pair: Pair | None = None) -> Socket:
    """The ROUTER socket on its addresses, likewise."""
    socket = _guarded(context, zmq.ROUTER, pair)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # an asker that is gone is told to the sender
    socket.sndhwm = REPLIES_MAX
    socket.rcvhwm = REQUESTS_WAITING_MAX
    socket.maxmsgsize = 2 * REQUEST_BYTES_MAX
    socket.sndbuf = socket.rcvbuf = PEER_BUFFER_BYTES
    socket.copy_threshold = 0  # a frame sent without a copy is followed until it has left
    return _bound(socket, addresses)


def _guarded(context: Context, kind: int, pair: Pair | None) -> Socket:
    socket: Socket = context.socket(kind)
    if pair is not None:
        socket.curve_server = True
        socket.curve_secretkey = pair.secret.encode()
        socket.zap_domain = ZAP_DOMAIN
        # Without it a handshake that nobody answers for would be let in.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
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


def _bound(socket: Socket, addresses: Sequence[str]) -> Socket:
    for address in addresses:
        try:
            if address.startswith(IPC):
                _refuse_taken(address.removeprefix(IPC))
            socket.bind(address)
            if address.startswith(IPC):
                os.chmod(address.removeprefix(IPC), LOCAL_MODE)
        except zmq.ZMQError as error:
            socket.close()
            text = f"cannot publish on {address}: {zmq.strerror(error.errno or 0)}"
            raise OSError(error.errno, text) from error
        except TouchlineError:
            socket.close()
            raise
    return socket


def _refuse_taken(path: str) -> None:
    """Only a socket's file that nobody listens on any more may be replaced; ZeroMQ would replace
    any."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise TouchlineError(f"cannot publish on {IPC}{path}: there is a file that is no socket")
    with unix.socket(unix.AF_UNIX, unix.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError:
            pass
    raise TouchlineError(f"cannot publish on {IPC}{path}: somebody else does")


def endpoint_of(socket: Socket) -> str:
    """The endpoint bound, with the port the system chose for a port written as *."""
    return bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()


def open_outlet(socket: Socket, mirror: Mirror, topics: Mapping[int, Topics]) -> Outlet:
    """The way from a mirror into a PUB socket, in C, by the library that made the socket."""
    return Outlet(socket, mirror, topics, zmq.backend.cython._zmq.__file__)
