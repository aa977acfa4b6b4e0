"""Network cards for the doctor: what the kernel answers, taken apart; and a real trial bind."""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path

import pytest

from harness import doctor_machines
from harness.doctor_machines import GUEST, SERVER
from touchline.control.doctor import ethtool, network, sockets, xdp
from touchline.control.doctor.ethtool import Card, Channels, Coalescing, Driver, Timestamping
from touchline.control.doctor.machine import Machine
from touchline.wire.port import Fact

# The answers of a virtio card, as the kernel gave them.
VIRTIO_DRIVER = struct.pack(
    "=I32s32s32s32s32s12sIIIII", 3, b"virtio_net", b"1.0.0\x004-fc", b"", b"0000:00:03.0", b"", b"",
    0, 14, 0, 0, 0,
)  # fmt: skip
VIRTIO_CHANNELS = bytes.fromhex("3c000000" + "00" * 12 + "01000000" + "00" * 12 + "01000000")
VIRTIO_COALESCING = bytes.fromhex("0e00000000000000010000000000000000000000" + "00000000") + (
    bytes.fromhex("01000000") + bytes(64)
)
VIRTIO_TIMESTAMPING = bytes.fromhex("410000001a000000ffffffff" + "00" * 32)


def server_card(**changed: object) -> Card:
    """A card of which nothing is wrong."""
    facts: dict[str, object] = {
        "driver": Driver("mlx5_core", "6.8", "22.41", "0000:3b:00.0"),
        "channels": Channels(rx=0, tx=0, combined=4, rx_max=0, tx_max=0, combined_max=16),
        "coalescing": Coalescing(0, 0, 8, 128, False, False),
        "timestamping": Timestamping(0x7F, 2, 3),
    }
    return Card("eth0", **(facts | changed))  # type: ignore[arg-type]


def guest_card() -> Card:
    return Card(
        "eth0",
        ethtool.parse_driver(VIRTIO_DRIVER),
        ethtool.parse_channels(VIRTIO_CHANNELS),
        ethtool.parse_coalescing(VIRTIO_COALESCING),
        ethtool.parse_timestamping(VIRTIO_TIMESTAMPING),
    )


@pytest.fixture
def server(tmp_path: Path) -> Machine:
    return doctor_machines.write(tmp_path / "server", SERVER)


@pytest.fixture
def guest(tmp_path: Path) -> Machine:
    return doctor_machines.write(tmp_path / "guest", GUEST)


def answers(card: Card, machine: Machine) -> dict[str, bool | None]:
    return {check.name: check.ok for check in network.card_checks(card, machine)}


def test_the_kernels_answers_are_taken_apart() -> None:
    card = guest_card()
    assert card.driver == Driver("virtio_net", "1.0.0", "", "0000:00:03.0")
    assert card.channels == Channels(0, 0, 1, 0, 0, 1)
    assert card.coalescing == Coalescing(0, 1, 0, 1, False, False)
    assert card.timestamping is not None
    assert (card.timestamping.clock, card.timestamping.hardware) == (None, False)
    assert card.timestamping.software


def test_a_good_card_has_nothing_wrong(server: Machine) -> None:
    assert set(answers(server_card(), server).values()) == {True}


def test_a_paravirtual_card_can_not_have_what_a_card_has(guest: Machine) -> None:
    checks = {check.name: check for check in network.card_checks(guest_card(), guest)}
    assert {name: check.ok for name, check in checks.items()} == {
        "eth0 driver": None,
        "eth0 queues": None,
        "eth0 coalescing": True,
        "eth0 timestamping": None,
    }
    assert "SR-IOV" in checks["eth0 timestamping"].why


@pytest.mark.parametrize(
    ("name", "changed", "command"),
    [
        ("queues", {"channels": Channels(0, 0, 1, 0, 0, 16)}, "ethtool -L eth0 combined 8"),
        ("queues", {"channels": Channels(1, 1, 0, 4, 4, 0)}, "ethtool -L eth0 rx 4"),
        (
            "coalescing",
            {"coalescing": Coalescing(8, 128, 8, 128, True, False)},
            "ethtool -C eth0 adaptive-rx off",
        ),
        ("coalescing", {"coalescing": Coalescing(3, 0, 0, 0, False, False)}, "rx-usecs 0"),
        ("timestamping", {"timestamping": Timestamping(0x1A, None, 0)}, ""),
    ],
)
def test_one_wrong_setting_of_a_card_is_found(
    name: str, changed: dict[str, object], command: str, server: Machine
) -> None:
    checks = network.card_checks(server_card(**changed), server)
    wrong = [check for check in checks if check.ok is False]
    assert [check.name for check in wrong] == [f"eth0 {name}"]
    assert command in "\n".join(mend.text for mend in wrong[0].mend)


def test_a_silent_card_is_untold_with_the_systems_reason(server: Machine) -> None:
    silent = dict.fromkeys(network.CARD_CHECKS, "") | {"channels": "Operation not supported"}
    checks = {c.name: c for c in network.card_checks(Card("eth0", silent=silent), server)}
    assert {check.ok for check in checks.values()} == {None}
    assert checks["eth0 queues"].why == "can not be told: Operation not supported"


@pytest.mark.parametrize(
    ("trial", "ok", "words"),
    [
        (xdp.Trial(3, "zero-copy", "zero-copy", {}), True, "spares a copy"),
        (xdp.Trial(0, "zero-copy", "copy", {"zero-copy": "no"}, 95), False, "spares a copy"),
        (xdp.Trial(0, "copy", "copy", {}), None, "--ask-zero-copy"),
        (xdp.Trial(0, "copy", None, {"copy": "no"}, errno.EPERM), None, "CAP_NET_RAW"),
        (xdp.Trial(0, "copy", None, {"copy": "no"}, errno.EAFNOSUPPORT), False, "XDP_SOCKETS"),
    ],
)
def test_a_trial_bind_says_what_was_asked_and_what_was_got(
    trial: xdp.Trial, ok: bool | None, words: str, server: Machine
) -> None:
    found = network.xdp_found(trial, server_card(), server)
    assert found.ok is ok
    assert words in found.why
    assert found.value.startswith(
        f"queue {trial.queue}: asked {trial.asked}, got {trial.got or 'nothing'}"
    )


def attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), kind) + body.ljust((len(body) + 3) & ~3, b"\0")


def test_an_attached_program_is_seen_in_the_links_attributes() -> None:
    def link(*attributes: bytes) -> bytes:
        return struct.pack("=IHHII", 0, xdp.RTM_NEWLINK, 0, 1, 0) + bytes(16) + b"".join(attributes)

    name = attribute(3, b"eth0\0")
    for value, word in ((0, "none"), (1, "driver"), (2, "generic")):
        nested = attribute(xdp.IFLA_XDP, attribute(xdp.IFLA_XDP_ATTACHED, bytes([value])))
        assert xdp.parse_attached(link(name, nested)) == word
    assert xdp.parse_attached(link(name)) == "none"
    refusal = struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -errno.ENODEV)
    with pytest.raises(OSError, match="No such device"):
        xdp.parse_attached(refusal)


def test_loopback_answers_and_an_interface_that_is_not_there_does_not() -> None:
    assert xdp.attached("lo") in xdp.ATTACHED
    card = ethtool.read_card("lo")
    assert card.timestamping is not None
    assert card.channels is None
    assert "channels" in card.silent
    assert ethtool.read_card("none-such").silent.keys() == {
        "driver",
        "channels",
        "coalescing",
        "timestamping",
    }


def test_a_trial_bind_on_loopback_gets_copies_or_says_why_not(server: Machine) -> None:
    """Whatever this kernel and these privileges allow, it ends in an answer and leaves nothing."""
    before = set(os.listdir("/proc/self/fd"))
    trial = xdp.trial("lo", 0, zero_copy=True)
    if trial.got is None:
        assert trial.error in (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EBUSY)
    else:
        assert trial.got == "copy"
        assert "zero-copy" in trial.refused
    assert set(os.listdir("/proc/self/fd")) == before
    check = network.xdp_check(Card("lo"), server, ask_zero_copy=False)
    assert check.ok is not True
    assert check.name == "lo xdp"


def test_every_interface_of_this_machine_can_be_asked() -> None:
    machine = Machine()
    for _, name in socket.if_nameindex():
        assert len(network.card_checks(ethtool.read_card(name), machine)) == 4


def test_sockets_on_loopback_say_what_was_asked_and_what_was_got() -> None:
    before = set(os.listdir("/proc/self/fd"))
    check = sockets.sockets_check("lo")
    assert check.ok is not False
    assert check.value is not None
    for name in ("multicast", "busy_poll_us asked 50", "segments_in asked 1", "stamps asked 1"):
        assert name in check.value
    assert set(os.listdir("/proc/self/fd")) == before
    assert sockets.sockets_check("none-such").ok is None


def test_what_sockets_were_refused_is_told_with_the_reason() -> None:
    facts = {"busy_poll_us": Fact(50, 0, "Operation not permitted"), "stamps": Fact(1, 1, "")}
    found = sockets.sockets_found(facts)
    assert found.ok is None
    assert "busy_poll_us refused: Operation not permitted" in found.why
    assert sockets.sockets_found({"stamps": Fact(1, 1, "")}).ok is True


@pytest.mark.parametrize(
    ("most", "rights", "ok", "words"),
    [
        (1000, "000001ffffffffff", True, "allowed"),
        (1000, "0000000000000000", None, "CAP_SYS_ADMIN"),
        (0, "000001ffffffffff", None, "max_net_namespaces"),
    ],
)
def test_whether_tests_may_make_namespaces_is_said(
    most: int, rights: str, ok: bool | None, words: str, tmp_path: Path
) -> None:
    machine = doctor_machines.write(
        tmp_path,
        {
            "proc/sys/user/max_net_namespaces": f"{most}\n",
            "proc/self/status": f"Name:\tx\nCapEff:\t{rights}\nCapBnd:\t0\n",
        },
    )
    check = sockets.network_namespaces(machine)
    assert check.ok is ok
    assert words in f"{check.value} {check.why}"


def test_ef_vi_is_had_with_library_and_card_alone() -> None:
    other, fit = server_card(), server_card(driver=Driver("sfc", "5.3", "8.5", "0000:3b:00.0"))
    both = network.ef_vi_found("libciul.so.1", [other, fit])
    assert (both.ok, both.value) == (True, "library libciul.so.1, cards eth0")
    no_library = network.ef_vi_found(None, [fit])
    assert no_library.ok is None
    assert "not installed" in no_library.why
    no_card = network.ef_vi_found("libciul.so.1", [other])
    assert no_card.ok is None
    assert no_card.value == "library libciul.so.1, cards none"


def test_a_report_says_whether_ef_vi_is_here(guest: Machine) -> None:
    assert "ef_vi" in [check.name for check in network.checks(guest, None)]
