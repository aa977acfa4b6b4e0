"""Peers of the publisher's ports that keep to ZMTP as far as they like, over plain TCP sockets."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def connected(endpoint: str) -> socket.socket:
    """A TCP connection to an endpoint of 127.0.0.1."""
    return socket.create_connection(("127.0.0.1", int(endpoint.rsplit(":", 1)[1])), timeout=30)


def exactly(peer: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = peer.recv(count - len(found))
        if not piece:
            raise ConnectionError("the publisher has cut the connection")
        found += piece
    return found


def greeted(endpoint: str, kind: bytes) -> socket.socket:
    """A peer past the handshake as a socket of this kind; it reads nothing more by itself."""
    peer = connected(endpoint)
    peer.sendall(GREETING)
    exactly(peer, len(GREETING))
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    peer.sendall(b"\x04" + bytes([len(ready)]) + ready)
    flags, size = exactly(peer, 2)
    assert flags == 4
    exactly(peer, size)
    return peer


def frame(payload: bytes, more: bool = False) -> bytes:
    """A short or long frame as it goes over the wire."""
    if len(payload) < 256:
        return bytes([int(more), len(payload)]) + payload
    return bytes([2 | int(more)]) + struct.pack(">Q", len(payload)) + payload


def say_on_and_on(peer: socket.socket, what: bytes) -> int:
    """Send `what` until the other side closes or takes no more, 64 MiB at the most; the bytes."""
    peer.settimeout(0.5)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += peer.send(what)
    except OSError:
        pass
    return sent


def connected_locally(path: Path) -> socket.socket:
    """A connection to a local socket."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(30)
    peer.connect(str(path))
    return peer


def abandon(path: Path) -> None:
    """The file of a local socket that nobody listens on, as a killed program leaves it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
