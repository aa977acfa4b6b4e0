"""Ports between two network namespaces: AF_XDP, groups, stamps; and nothing is left behind."""

from __future__ import annotations

import errno
import os
import random
import signal
import socket
import struct
from collections.abc import Iterator

import pytest

from harness import namespaces
from harness.namespaces import IPV4, IPV6, MACS, NAME, Cable
from harness.waiting import until
from touchline.control.doctor import xdp
from touchline.wire.port import Datagram, Port, open_udp, open_xdp

PATIENCE_S = 10.0
AT = tuple(f"{address}:5000" for address in IPV4)
NOBODY = "10.78.0.77:5000"  # an address that neither kernel has
SIZES = (0, 1, 2, 3, 17, 18, 63, 64, 65, 511, 1471, 1472)


@pytest.fixture
def cable() -> Iterator[Cable]:
    with namespaces.cable() as made:
        yield made


def payloads(seed: int) -> list[bytes]:
    numbers = random.Random(seed)
    return [numbers.randbytes(size) for size in SIZES]


def send(port: Port, datagrams: list[bytes], to: str | None = None) -> None:
    left = list(datagrams)

    def some() -> bool:
        del left[: port.send(left, to)]
        return not left

    until(some, "sent")


def received(port: Port, count: int, others: tuple[Port, ...] = ()) -> list[Datagram]:
    """The next `count` datagrams; the other ports are polled too, so that they answer ARP."""
    found: list[Datagram] = []

    def some() -> bool:
        for other in others:
            assert other.poll() == []
        found.extend(port.poll(1))
        return len(found) >= count

    until(some, f"{count} datagrams")
    assert len(found) == count
    return found


def data_of(datagrams: list[Datagram]) -> list[bytes]:
    return [datagram.data for datagram in datagrams]


@pytest.mark.parametrize("mode", ["any", "driver", "generic"])
def test_datagrams_pass_between_af_xdp_and_the_kernels_sockets(cable: Cable, mode: str) -> None:
    with cable.inside(0):
        near = open_xdp(NAME, AT[0], to=AT[1], mode=mode)  # type: ignore[arg-type]
    with cable.inside(1):
        far = open_udp(AT[1], to=AT[0])
    with near, far:
        send(near, payloads(1))
        came = received(far, len(SIZES))
        assert data_of(came) == payloads(1)
        assert {datagram.source for datagram in came} == {AT[0]}
        send(far, payloads(2))
        came = received(near, len(SIZES))
        assert data_of(came) == payloads(2)
        assert {datagram.source for datagram in came} == {AT[1]}
        counts = near.counts
        assert (counts["sent"], counts["received"]) == (len(SIZES), len(SIZES))
        assert counts["malformed"] == counts["lost"] == counts["arp"] == 0
        assert near.facts["own_arp"] == (0, 0, "")
        if mode != "any":
            assert near.facts["driver_mode"].got == (mode == "driver")
        with pytest.raises(OSError, match="too long"):
            near.send([bytes(1473)])


def test_what_was_asked_of_af_xdp_is_held_against_what_was_got(cable: Cable) -> None:
    with cable.inside(0), open_xdp(NAME, AT[0], zero_copy=True, busy_poll_us=20) as port:
        assert port.facts["zero_copy"][:2] == (1, 0)
        assert port.facts["zero_copy"].refusal
        assert port.facts["busy_poll_us"].asked == 20
        assert port.local == AT[0]


def test_a_port_answers_for_an_address_that_nobody_has(cable: Cable) -> None:
    with cable.inside(0):
        near = open_xdp(NAME, NOBODY, to=AT[1])
    with cable.inside(1):
        far = open_udp(AT[1], to=NOBODY)
    with near, far:
        assert near.facts["own_arp"].got == 1
        send(far, [b"who are you"])
        assert data_of(received(near, 1)) == [b"who are you"]
        assert near.counts["arp"] >= 1
        assert near.send([b"first"]) == 0  # it asks, and is told by the next poll
        assert near.counts["unresolved"] == 1
        until(lambda: near.poll(1) == [] and near.send([b"second"]) == 1, "sent")
        assert data_of(received(far, 1)) == [b"second"]
        with cable.inside(1):
            assert MACS[0] in os.popen(f"ip neigh show {NOBODY[:-5]}").read()


def test_two_ports_find_each_other_without_any_kernel(cable: Cable) -> None:
    other = "10.78.0.78:5000"
    with cable.inside(0):
        near = open_xdp(NAME, NOBODY, to=other)
    with cable.inside(1):
        far = open_xdp(NAME, other, to=NOBODY)
    with near, far:
        until(lambda: far.poll() == near.poll() == [] and near.send([b"ping"]), "ping")
        assert data_of(received(far, 1, (near,))) == [b"ping"]
        until(lambda: far.poll() == near.poll() == [] and far.send([b"pong"]), "pong")
        assert data_of(received(near, 1, (far,))) == [b"pong"]
        many = [number.to_bytes(4, "big") for number in range(5000)]
        found: list[bytes] = []
        for at in range(0, len(many), 50):
            send(near, many[at : at + 50])
            found += data_of(received(far, 50))
        assert found == many


def test_what_is_for_others_goes_on_to_the_kernel(cable: Cable) -> None:
    with cable.inside(0):
        near = open_xdp(NAME, AT[0])
        neighbour = open_udp(f"{IPV4[0]}:5001")
        six = open_udp(f"[{IPV6[0]}]:5000")
        listener = socket.create_server((IPV4[0], 5000))
    with cable.inside(1):
        far = open_udp(f"{IPV4[1]}:0")
        far6 = open_udp(f"[{IPV6[1]}]:0")
        stream = socket.create_connection((IPV4[0], 5000), timeout=PATIENCE_S)
    with near, neighbour, six, far, far6, listener, stream:
        send(far, [b"not for you"], f"{IPV4[0]}:5001")
        assert data_of(received(neighbour, 1, (near,))) == [b"not for you"]
        send(far6, [b"version six"], f"[{IPV6[0]}]:5000")
        assert data_of(received(six, 1, (near,))) == [b"version six"]
        listener.settimeout(PATIENCE_S)
        with listener.accept()[0] as accepted:
            stream.sendall(b"a stream")
            assert accepted.recv(100) == b"a stream"
        send(far, [bytes(4000)], AT[0])  # in fragments, which the kernel keeps
        send(far, [b"for you"], AT[0])
        assert data_of(received(near, 1)) == [b"for you"]
        assert near.counts["malformed"] == 0


def test_a_port_that_is_open_is_nobody_elses(cable: Cable) -> None:
    with cable.inside(0), open_xdp(NAME, AT[0]):
        with pytest.raises(OSError, match=f"bind {AT[0]}") as caught:
            open_udp(AT[0])
        assert caught.value.errno == errno.EADDRINUSE
        with pytest.raises(OSError, match="bind AF_XDP to queue 0 of veth0") as caught:
            open_xdp(NAME, f"{IPV4[0]}:6000")
        assert caught.value.errno == errno.EBUSY
        with pytest.raises(OSError, match="queue 7") as caught:
            open_xdp(NAME, f"{IPV4[0]}:6000", queue=7)
        assert caught.value.errno == errno.EINVAL


def test_loss_for_want_of_frames_is_counted_and_ends(cable: Cable) -> None:
    with cable.inside(0):
        near = open_xdp(NAME, AT[0], frames=64, batch=64)
    with cable.inside(1):
        far = open_udp(AT[1], to=AT[0])
    with near, far:
        for number in range(200):
            send(far, [number.to_bytes(4, "big")])
        until(lambda: near.counts["lost"] == 200 - 64, "lost")
        assert near.counts["fill_empty"] > 0
        came = received(near, 64)
        assert data_of(came) == [number.to_bytes(4, "big") for number in range(64)]
        assert near.poll() == []
        send(far, [b"again"])
        assert data_of(received(near, 1)) == [b"again"]
        assert near.counts["lost"] == 200 - 64


def attached(cable: Cable) -> str:
    with cable.inside(0):
        return xdp.attached(NAME)


def test_close_takes_the_program_off(cable: Cable) -> None:
    assert attached(cable) == "none"
    for _ in range(3):
        with cable.inside(0), open_xdp(NAME, AT[0]):
            assert attached(cable) in ("driver", "generic")
        assert attached(cable) == "none"


def test_a_killed_process_leaves_no_program(cable: Cable) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with cable.inside(0):
            port = open_xdp(NAME, AT[0])
        os.write(writing, port.local.encode())
        signal.pause()
        os._exit(1)
    try:
        assert os.read(reading, 100).decode() == AT[0]
        assert attached(cable) in ("driver", "generic")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
    until(lambda: attached(cable) == "none", "program gone")
    with cable.inside(0), open_xdp(NAME, AT[0]) as port:
        assert port.local == AT[0]


def frame(payload: bytes, **wrong: int) -> bytes:
    """A UDP datagram to the near port as a frame, with fields overwritten; no UDP checksum."""
    length = wrong.get("udp_length", 8 + len(payload))
    udp = struct.pack("!HHHH", 5000, 5000, length, wrong.get("udp_checksum", 0)) + payload
    total = wrong.get("ip_length", 20 + len(udp))
    addresses = socket.inet_aton(IPV4[1]) + socket.inet_aton(IPV4[0])
    head = struct.pack("!BBHHHBBH", 0x45, 0, total, 0, 0, 64, 17, 0) + addresses
    words = sum(struct.unpack("!10H", head))
    words = (words & 0xFFFF) + (words >> 16)
    check = (~words & 0xFFFF) ^ wrong.get("ip_checksum", 0)
    cards = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in MACS)
    return cards + b"\x08\0" + head[:10] + struct.pack("!H", check) + head[12:] + udp


def test_frames_that_are_no_whole_datagrams_are_counted_and_dropped(cable: Cable) -> None:
    with cable.inside(0):
        near = open_xdp(NAME, AT[0])
    with cable.inside(1):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind((NAME, 0))
    wrong: list[dict[str, int]] = [
        {"udp_length": 7},
        {"udp_length": 0},
        {"udp_length": 65535},
        {"udp_length": 18},
        {"ip_length": 20},
        {"ip_length": 65535},
        {"ip_length": 0},
        {"ip_checksum": 1},
        {"udp_checksum": 0x1234},
    ]
    with near, raw:
        for fields in wrong:
            raw.send(frame(b"rotten", **fields))
        raw.send(frame(b"sound"))
        assert data_of(received(near, 1)) == [b"sound"]
        assert near.counts["malformed"] == len(wrong)
        numbers = random.Random(5)
        for _ in range(2000):
            mangled = bytearray(frame(numbers.randbytes(numbers.randrange(100))))
            for _ in range(numbers.randrange(1, 4)):
                mangled[numbers.randrange(14, len(mangled))] = numbers.randrange(256)
            raw.send(mangled[: numbers.randrange(14, len(mangled) + 1)])
            near.poll()
        raw.send(frame(b"last"))
        until(lambda: b"last" in data_of(near.poll(1)), "the last")


@pytest.mark.parametrize("group", ["239.7.8.9:5100", "[ff05::789]:5100"])
def test_a_group_is_heard_across_the_cable_with_stamps(cable: Cable, group: str) -> None:
    far_at = f"[{IPV6[1]}]:0" if group[0] == "[" else f"{IPV4[1]}:0"
    with cable.inside(0):
        members = [open_udp(group, interface=NAME, stamps="software") for _ in range(2)]
    with cable.inside(1):
        far = open_udp(far_at, to=group, interface=NAME, stamps="software", ttl=3)
    stamps: list[int] = []
    for number in range(1000):
        send(far, [number.to_bytes(4, "big")])
        came = [received(member, 1)[0] for member in members]
        assert {datagram.data for datagram in came} == {number.to_bytes(4, "big")}
        stamps += [sent.tx_ns for sent in far.sent_stamps()]
        if all(datagram.rx_ns for datagram in came) and len(stamps) > number:
            break  # the kernel switches stamps on a moment after they were first asked for
    assert {datagram.stamp for datagram in came} == {"software"}
    assert {datagram.source for datagram in came} == {far.local}
    while len(stamps) <= number:
        stamps += [sent.tx_ns for sent in far.sent_stamps()]
    assert 0 < stamps[-1] <= came[0].rx_ns
    for port in (*members, far):
        port.close()


def test_only_the_source_that_was_named_is_heard(cable: Cable) -> None:
    group = "232.7.8.9:5100"
    with cable.inside(0):
        chosen = open_udp(group, interface=NAME, source=f"{IPV4[1]}:0")
        deaf = open_udp(group, interface=NAME, source="10.78.0.99:0")
    with cable.inside(1):
        far = open_udp(f"{IPV4[1]}:0", to=group, interface=NAME)
    with chosen, deaf, far:
        send(far, [b"hear this"])
        assert data_of(received(chosen, 1, (deaf,))) == [b"hear this"]


def test_groups_go_in_and_out_by_af_xdp(cable: Cable) -> None:
    group = "239.7.8.9:5100"
    with cable.inside(0):
        member = open_xdp(NAME, group)
    with cable.inside(1):
        sender = open_xdp(NAME, f"{IPV4[1]}:5000", to=group, send_only=True)
    with member, sender:
        send(sender, payloads(3))
        assert data_of(received(member, len(SIZES))) == payloads(3)
    with cable.inside(0):
        member = open_udp(group, interface=NAME)
    with cable.inside(1):
        sender = open_xdp(NAME, "0.0.0.0:5000", to=group, send_only=True)
        assert xdp.attached(NAME) == "none"
    with member, sender:
        send(sender, payloads(4))
        came = received(member, len(SIZES))
        assert data_of(came) == payloads(4)
        assert {datagram.source for datagram in came} == {f"{IPV4[1]}:5000"}


def test_all_but_groups_goes_by_the_gateway(cable: Cable) -> None:
    with cable.inside(0):
        near = open_xdp(NAME, AT[0], to="192.0.2.9:5000", gateway=f"{IPV4[1]}:0")
    with cable.inside(1):
        namespaces.ip("addr", "add", "192.0.2.9/32", "dev", "lo")
        far = open_udp("192.0.2.9:5000")
    with near, far:
        send(near, [b"far away"])
        assert data_of(received(far, 1)) == [b"far away"]


def test_refusals_say_what_and_where(cable: Cable) -> None:
    wrong = [
        ({"interface": "none-such", "local": AT[0]}, errno.ENODEV, "interface none-such"),
        ({"interface": NAME, "local": "[::1]:5"}, errno.EAFNOSUPPORT, r"local \[::1\]:5"),
        ({"interface": NAME, "local": AT[0], "frames": 100}, errno.EINVAL, "frames 100"),
        ({"interface": NAME, "local": "10.78.0.77:0"}, errno.EINVAL, "a port must be named"),
        ({"interface": "lo", "local": "127.0.0.1:5"}, errno.EAFNOSUPPORT, "interface lo"),
        ({"interface": NAME, "local": AT[0], "gateway": "x"}, errno.EINVAL, "gateway x"),
    ]
    with cable.inside(0):
        for options, code, words in wrong:
            with pytest.raises(OSError, match=words) as caught:
                open_xdp(**options)  # type: ignore[arg-type]
            assert caught.value.errno == code
