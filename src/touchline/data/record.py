"""A live feed into a file that other readers take: ITCH 5.0 (BinaryFILE), or packets (pcap).

    LiveReader ─► messages in order, once each ─┬─► each with its length before it
                                                └─► MoldUDP64 in UDP in IPv4 in Ethernet

A file of ITCH numbers its messages by counting, so what was lost is not seen in it; a capture has
the numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from os import PathLike, fspath
from typing import Literal, NamedTuple

from touchline.data.itch import is_capture
from touchline.data.live import LiveReader
from touchline.data.whole_file import WholeFile
from touchline.errors import FeedError
from touchline.wire.moldudp64_listener import Heard
from touchline.wire.moldudp64_sender import packets

_NS = 1_000_000_000
_PCAP_HEAD = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)  # times in nanoseconds
_PACKET = struct.Struct("<IIII")
_FROM, _TO, _PORT = b"\x0a\x00\x00\x01", b"\xe9\x36\x0c\x01", 26400
_ETHERNET = b"\x01\x00\x5e\x36\x0c\x01" + b"\x02\x00\x00\x00\x00\x01" + b"\x08\x00"
_MOLD = 42  # Ethernet, IPv4 and UDP before it

Form = Literal["itch", "pcap"]


class Recorded(NamedTuple):
    """What was written: messages `first` to `last` of a session, without `lost` of them; `ended`:
    up to the session's end. `size`: bytes of the file."""

    path: str
    session: str
    first: int
    last: int
    messages: int
    lost: int
    losses: list[tuple[int, int]]
    ended: bool
    size: int


class Recording(NamedTuple):
    """What a capture holds already: how many bytes of it are whole, and what follows."""

    size: int
    session: str
    following: int


def record_itch(
    reader: LiveReader,
    path: str | PathLike[str],
    *,
    form: Form = "itch",
    overwrite: bool = False,
    after: Recording | None = None,
) -> Iterator[Recorded]:
    """Write what a live reader hears, until it ends; what there is so far, again and again.

    The file is whole up to its last message whenever it is looked at once its writer is gone, even
    killed. With `after`, of recorded(), a capture goes on: the reader must begin there. Raises
    FileExistsError unless `overwrite`, OSError for a disk that is full.
    """
    first = last = count = lost = 0
    with WholeFile(path, overwrite=overwrite, size=after and after.size) as file:
        if form == "pcap" and not file.size:
            file.append(_PCAP_HEAD)
        for heard in reader.heard():
            if heard.kind == "messages":
                first, last = first or heard.first, heard.last
                count += heard.last - heard.first + 1
                file.append(heard.data if form == "itch" else _frames(heard, reader.session))
            elif heard.kind == "lost":
                lost += heard.last - heard.first + 1
            yield Recorded(
                fspath(path), reader.session, first, last, count, lost, reader.losses,
                reader.ended, file.size,
            )  # fmt: skip


def _frames(heard: Heard, session: str) -> bytes:
    """The messages as packets of a capture."""
    made = []
    seconds, ns = divmod(heard.utc_ns, _NS)
    for packet in packets(heard.data, session or " ", heard.first):
        udp = struct.pack(">HHHH", _PORT, _PORT, 8 + len(packet), 0)
        size = 28 + len(packet)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, 0, 0x4000, 1, 17, 0, _FROM, _TO)
        ip = ip[:10] + struct.pack(">H", _checksum(ip)) + ip[12:]
        size += len(_ETHERNET)
        made += [_PACKET.pack(seconds, ns, size, size), _ETHERNET, ip, udp, packet]
    return b"".join(made)


def _checksum(head: bytes) -> int:
    """Of an IPv4 header: the complement of the sum of its words, carries added (RFC 791)."""
    total: int = sum(struct.unpack(f">{len(head) // 2}H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def recorded(path: str | PathLike[str]) -> Recording:
    """What a capture of record_itch holds. Raises FeedError for another file, OSError."""
    session, following = "", 0
    with open(path, "rb") as file:
        start = file.read(len(_PCAP_HEAD))
        size = len(start)
        if start != _PCAP_HEAD:
            why = "it is no capture that `feed record` began"
            if not is_capture(start[:4]):
                why = "it is no capture; a file of ITCH does not say its messages' numbers"
            raise FeedError(path, 0, why)
        while len(head := file.read(_PACKET.size)) == _PACKET.size:
            length = _PACKET.unpack(head)[2]
            frame = file.read(length)
            if len(frame) < length or length < _MOLD + 20:
                break
            size += len(head) + length
            name, number, messages = struct.unpack_from(">10sQH", frame, _MOLD)
            session = name.decode("ascii", "replace").rstrip()
            following = number + messages
    return Recording(size, session, following)
