"""A foreign program reads what this venue's encoders write: Wireshark's dissectors, by tshark.

The packets are put into a capture file as Ethernet frames. Wireshark 4 knows MoldUDP64 and
SoupBinTCP; its dissectors of ITCH and OUCH are of older versions, so those are compared as bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.sources import ROOT

MOLD_PORT, SOUP_PORT, CLIENT_PORT = 26400, 26401, 40000
PARTS = ("itch", "moldudp64", "soupbin", "ouch")

pytestmark = pytest.mark.skipif(
    shutil.which("tshark") is None and "CI" not in os.environ,  # CI installs it
    reason="tshark is not installed",
)


def samples(directory: Path) -> list[tuple[str, bytes]]:
    """Who sends what, as the encoders write it."""
    program = directory / "wire_samples"
    sources = [str(ROOT / f"ext/touchline/wire/{part}.c") for part in PARTS]
    source = str(ROOT / "tests/harness/wire_samples.c")
    subprocess.run(
        ["cc", "-std=gnu11", f"-I{ROOT / 'ext'}", source, *sources, "-o", str(program)], check=True
    )
    said = subprocess.run([str(program)], check=True, capture_output=True).stdout
    found, at = [], 0
    while at < len(said):
        (size,) = struct.unpack_from(">H", said, at + 1)
        found.append((chr(said[at]), said[at + 3 : at + 3 + size]))
        at += 3 + size
    return found


def frame(protocol: int, segment: bytes) -> bytes:
    """An Ethernet frame with an IPv4 packet, whose checksum nobody asks for."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0,
                     bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))  # fmt: skip
    return b"\x02" * 6 + b"\x04" * 6 + b"\x08\x00" + ip + segment


def udp(payload: bytes) -> bytes:
    return frame(17, struct.pack(">HHHH", CLIENT_PORT, MOLD_PORT, 8 + len(payload), 0) + payload)


def tcp(who: str, payload: bytes, sent: dict[str, int]) -> bytes:
    ports = (CLIENT_PORT, SOUP_PORT) if who == "C" else (SOUP_PORT, CLIENT_PORT)
    other = "S" if who == "C" else "C"
    head = struct.pack(">HHIIBBHHH", *ports, sent[who], sent[other], 0x50, 0x18, 65535, 0, 0)
    sent[who] += len(payload)
    return frame(6, head + payload)


def captured(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    """The layers that tshark sees in each sample, and what its own name for them is."""
    said, sent = samples(directory), {"C": 1, "S": 1}
    frames = [udp(data) if who == "M" else tcp(who, data, sent) for who, data in said]
    file = directory / "samples.pcap"
    records = [struct.pack("<IIII", i, 0, len(f), len(f)) + f for i, f in enumerate(frames)]
    file.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    decode = ["-d", f"udp.port=={MOLD_PORT},moldudp64", "-d", f"tcp.port=={SOUP_PORT},soupbintcp"]
    out = subprocess.run(
        ["tshark", "-r", str(file), *decode, "-T", "json", "--no-duplicate-keys"],
        check=True,
        capture_output=True,
    ).stdout
    packets = [packet["_source"]["layers"] for packet in json.loads(out)]
    return [(who, layers) for (who, _), layers in zip(said, packets, strict=True)]


def values(tree: Any, name: str) -> list[str]:
    """All values of a field, wherever in the tree it stands."""
    if isinstance(tree, list):
        return [value for one in tree for value in values(one, name)]
    if not isinstance(tree, dict):
        return []
    found: list[str] = []
    for key, value in tree.items():
        if key == name:
            found += value if isinstance(value, list) else [value]
        else:
            found += values(value, name)
    return found


def test_tshark_reads_packets_sessions_and_messages_as_they_were_meant(tmp_path: Path) -> None:
    seen = captured(tmp_path)
    mold = [layers for who, layers in seen if who == "M"]
    assert [values(one, "moldudp64.session") for one in mold] == [["SESSION001"]] * 3
    assert [values(one, "moldudp64.sequence") for one in mold] == [["7"], ["9"], ["9"]]
    assert [values(one, "moldudp64.count") for one in mold] == [["2"], ["0"], ["65535"]]
    assert values(mold[0], "moldudp64.msglen") == ["12", "36"]
    assert values(mold[0], "moldudp64.msgseq") == ["7", "8"]
    add = bytes.fromhex(values(mold[0], "moldudp64.msgdata")[1].replace(":", ""))
    assert add[:1] == b"A"
    assert struct.unpack(">HH6sQcI8sI", add[1:]) == (
        1, 0, (34200 * 10**9).to_bytes(6, "big"), 258, b"B", 100, b"AAA     ", 100100
    )  # fmt: skip
    soup = [layers for who, layers in seen if who != "M"]
    types = [values(one, "soupbintcp.packet_type")[0] for one in soup]
    assert types == ["'L'", "'A'", "'U'", "'S'", "'H'", "'O'"]
    assert values(soup[0], "soupbintcp.username") == ["USER1 "]
    assert values(soup[0], "soupbintcp.password") == ["SECRET    "]
    assert [value.strip() for value in values(soup[1], "soupbintcp.session")] == ["DAY1"]
    canceled = bytes.fromhex(values(soup[3], "soupbintcp.message")[0].replace(":", ""))
    assert struct.unpack(">cQIIc", canceled) == (b"C", 5, 3, 50, b"U")
    assert not [one for one in (*mold, *soup) if "_ws.malformed" in one]
