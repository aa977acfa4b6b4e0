"""A network card's facts, from the kernel by the ethtool ioctl: requests that read, none that sets.

The layouts are those of linux/ethtool.h, in the machine's own byte order. Parsing is apart from
asking, so that a test can give bytes. None of these requests needs a privilege.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

SIOCETHTOOL = 0x8946
GET_DRIVER, GET_COALESCING, GET_CHANNELS, GET_TIMESTAMPING = 0x03, 0x0E, 0x3C, 0x41
DRIVER = struct.Struct("=I32s32s32s32s32s12sIIIII")
COALESCING = struct.Struct("=23I")
CHANNELS = struct.Struct("=9I")
TIMESTAMPING = struct.Struct("=IIiI12xI12x")
# Bits of SOF_TIMESTAMPING_*.
TX_HARDWARE, TX_SOFTWARE, RX_HARDWARE, RX_SOFTWARE, RAW_HARDWARE = 1, 2, 4, 8, 64


@dataclass(frozen=True)
class Driver:
    name: str
    version: str
    firmware: str
    bus: str


@dataclass(frozen=True)
class Channels:
    """Queues: in use, and at most. A card has separate ones, combined ones, or both."""

    rx: int
    tx: int
    combined: int
    rx_max: int
    tx_max: int
    combined_max: int

    @property
    def receiving(self) -> int:
        return self.rx + self.combined

    @property
    def receiving_max(self) -> int:
        return self.rx_max + self.combined_max


@dataclass(frozen=True)
class Coalescing:
    """How long the card waits, and for how many packets, before it interrupts."""

    rx_us: int
    rx_frames: int
    tx_us: int
    tx_frames: int
    adaptive_rx: bool
    adaptive_tx: bool


@dataclass(frozen=True)
class Timestamping:
    """What can stamp packets; `clock` is the number of the card's own (/dev/ptpN), None without."""

    flags: int
    clock: int | None
    rx_filters: int

    @property
    def hardware(self) -> bool:
        return all(self.flags & bit for bit in (TX_HARDWARE, RX_HARDWARE, RAW_HARDWARE))

    @property
    def software(self) -> bool:
        return bool(self.flags & TX_SOFTWARE and self.flags & RX_SOFTWARE)


@dataclass(frozen=True)
class Card:
    """What one interface's driver says; None where it does not, and `silent` says why."""

    interface: str
    driver: Driver | None = None
    channels: Channels | None = None
    coalescing: Coalescing | None = None
    timestamping: Timestamping | None = None
    silent: dict[str, str] = field(default_factory=dict)


def text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="replace").strip()


def parse_driver(raw: bytes) -> Driver:
    _, name, version, firmware, bus, *_ = DRIVER.unpack_from(raw)
    return Driver(text(name), text(version), text(firmware), text(bus))


def parse_channels(raw: bytes) -> Channels:
    _, rx_max, tx_max, _, combined_max, rx, tx, _, combined = CHANNELS.unpack_from(raw)
    return Channels(rx, tx, combined, rx_max, tx_max, combined_max)


def parse_coalescing(raw: bytes) -> Coalescing:
    values = COALESCING.unpack_from(raw)
    return Coalescing(
        rx_us=values[1],
        rx_frames=values[2],
        tx_us=values[5],
        tx_frames=values[6],
        adaptive_rx=bool(values[10]),
        adaptive_tx=bool(values[11]),
    )


def parse_timestamping(raw: bytes) -> Timestamping:
    _, flags, clock, _, filters = TIMESTAMPING.unpack_from(raw)
    return Timestamping(flags, clock if clock >= 0 else None, filters)


def ask(sock: socket.socket, interface: str, request: int, size: int) -> bytes:
    """The kernel's answer to one ethtool request. Raises OSError, EOPNOTSUPP for one not known."""
    answer = ctypes.create_string_buffer(struct.pack("=I", request).ljust(size, b"\0"), size)
    name = interface.encode()
    if len(name) > 15:
        raise ValueError(f"{interface!r} is longer than the name of an interface can be")
    ifreq = struct.pack("16sP16x", name, ctypes.addressof(answer))
    fcntl.ioctl(sock, SIOCETHTOOL, ifreq)
    return answer.raw


def read_card(interface: str) -> Card:
    """All an interface's driver tells. What it does not tell is None, with the reason."""
    questions: dict[str, tuple[int, int, Callable[[bytes], object]]] = {
        "driver": (GET_DRIVER, DRIVER.size, parse_driver),
        "channels": (GET_CHANNELS, CHANNELS.size, parse_channels),
        "coalescing": (GET_COALESCING, COALESCING.size, parse_coalescing),
        "timestamping": (GET_TIMESTAMPING, TIMESTAMPING.size, parse_timestamping),
    }
    told: dict[str, object] = {}
    silent: dict[str, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for name, (request, size, parse) in questions.items():
            try:
                told[name] = parse(ask(sock, interface, request, size))
            except OSError as error:
                silent[name] = error.strerror or str(error)
    return Card(interface, silent=silent, **told)  # type: ignore[arg-type]
