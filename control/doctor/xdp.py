"""How AF_XDP would run on an interface: bind a socket to a queue, see what was given, close it.

No program is attached, so no packet ever comes to the socket and the queue goes on as before. Two
things could disturb it all the same, and are not done: a driver that sets a queue up anew for
zero-copy even while no program is attached is asked for copies alone, unless told otherwise; and an
interface that has a program attached, which somebody uses, is left alone.

Constants and layouts are those of linux/if_xdp.h and linux/if_link.h.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

AF_XDP, SOL_XDP = 44, 283
RX_RING, UMEM_REG, FILL_RING, COMPLETION_RING, OPTIONS = 2, 4, 5, 6, 8
COPY, ZEROCOPY = 2, 4
OPTION_ZEROCOPY = 1
FRAMES, FRAME_BYTES = 16, 4096
ADDRESS = struct.Struct("=HHIII")
UMEM = struct.Struct("=QQIII4x")

RTM_GETLINK, RTM_NEWLINK, NLM_F_REQUEST, IFLA_XDP, IFLA_XDP_ATTACHED = 18, 16, 1, 43, 2
ATTACHED = ("none", "driver", "generic", "hardware", "several")

# Their set-up of a zero-copy pool leaves a queue alone that runs without an XDP program; the last
# two refuse zero-copy before anything is touched.
CALM = ("i40e", "ice", "igc", "ixgbe", "mlx5_core", "veth", "lo")


@dataclass(frozen=True)
class Trial:
    """What was asked for, what was given ("zero-copy", "copy", None), and why not more."""

    queue: int
    asked: str
    got: str | None
    refused: dict[str, str]
    error: int = 0  # errno of the last refusal


def bind(interface: str, queue: int, flags: int) -> str:
    """Bind a socket and close it again; the mode it was given. Raises OSError."""
    memory = mmap.mmap(-1, FRAMES * FRAME_BYTES)
    anchor = (ctypes.c_char * len(memory)).from_buffer(memory)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        with socket.socket(AF_XDP, socket.SOCK_RAW) as sock:
            area = UMEM.pack(ctypes.addressof(anchor), len(memory), FRAME_BYTES, 0, 0)
            sock.setsockopt(SOL_XDP, UMEM_REG, area)
            for ring in (FILL_RING, COMPLETION_RING, RX_RING):
                sock.setsockopt(SOL_XDP, ring, FRAMES)
            index = socket.if_nametoindex(interface)
            address = ADDRESS.pack(AF_XDP, flags, index, queue, 0)
            # Python's own bind knows no addresses of this family.
            if libc.bind(sock.fileno(), address, len(address)) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))
            options = struct.unpack("=I", sock.getsockopt(SOL_XDP, OPTIONS, 4))[0]
        return "zero-copy" if options & OPTION_ZEROCOPY else "copy"
    finally:
        del anchor
        memory.close()


def trial(interface: str, queue: int, *, zero_copy: bool) -> Trial:
    """Ask for zero-copy if wanted, then for copies; the first that is given ends it."""
    modes = {"zero-copy": ZEROCOPY} if zero_copy else {}
    modes["copy"] = COPY
    refused: dict[str, str] = {}
    asked = next(iter(modes))
    error = 0
    for name, flags in modes.items():
        try:
            return Trial(queue, asked, bind(interface, queue, flags), refused)
        except OSError as refusal:
            error = refusal.errno or 0
            refused[name] = refusal.strerror or str(refusal)
    return Trial(queue, asked, None, refused, error)


def attributes(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes of a netlink message: type and body."""
    at = 0
    while at + 4 <= len(raw):
        size, kind = struct.unpack_from("=HH", raw, at)
        if size < 4:
            return
        yield kind & 0x3FFF, raw[at + 4 : at + size]
        at += (size + 3) & ~3


def parse_attached(message: bytes) -> str:
    """How an XDP program is attached, from the kernel's answer about a link. Raises OSError."""
    _, kind = struct.unpack_from("=IH", message)
    if kind != RTM_NEWLINK:
        code = -struct.unpack_from("=i", message, 16)[0]
        raise OSError(code, os.strerror(code))
    for attribute, body in attributes(message[32:]):
        if attribute == IFLA_XDP:
            for inner, value in attributes(body):
                if inner == IFLA_XDP_ATTACHED and value[0] < len(ATTACHED):
                    return ATTACHED[value[0]]
    return ATTACHED[0]


def attached(interface: str) -> str:
    """The same of a living interface."""
    index = socket.if_nametoindex(interface)
    question = struct.pack("=IHHII", 32, RTM_GETLINK, NLM_F_REQUEST, 1, 0)
    question += struct.pack("=BxHiII", 0, 0, index, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.bind((0, 0))
        sock.send(question)
        return parse_attached(sock.recv(65536))
