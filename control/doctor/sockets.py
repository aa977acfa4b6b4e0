"""What sockets on an interface are given: a port is opened as the venue would, asked and closed.

The group it joins is one that nobody uses; the card's own stamps are not asked for, since that
switches them on for everybody.
"""

from __future__ import annotations

from touchline.control.doctor.check import Check, Found, check, made, unread
from touchline.control.doctor.machine import Machine
from touchline.wire.port import Fact, open_udp

GROUP = "239.255.255.1:0"
BUSY_POLL_US = 50
CAP_SYS_ADMIN = 1 << 21


def sockets_found(facts: dict[str, Fact]) -> Found:
    """Of a port that joined a group on the interface."""
    less = {name: fact for name, fact in facts.items() if fact.got < fact.asked}
    told = ["multicast"]
    told += [f"{name} asked {fact.asked}, got {fact.got}" for name, fact in facts.items()]
    why = "a port asks for these and goes on with what it gets"
    if less:
        refusals = "; ".join(f"{name} refused: {fact.refusal}" for name, fact in less.items())
        return Found("; ".join(told), None, f"{refusals}; {why}")
    return Found("; ".join(told), True, why)


def facts_of(interface: str) -> dict[str, Fact]:
    """What a port on the interface got. Segments and stamps exclude each other: two are opened."""
    found: dict[str, Fact] = {}
    with open_udp(GROUP, interface=interface, busy_poll_us=BUSY_POLL_US, segments=True) as port:
        found |= port.facts
    with open_udp(GROUP, interface=interface, stamps="software") as port:
        found |= port.facts
    return found


def sockets_check(interface: str) -> Check:
    name, wanted = f"{interface} sockets", "all that is asked"
    try:
        return made(name, "network", wanted, sockets_found(facts_of(interface)))
    except OSError as error:
        return unread(name, "network", wanted, error)


@check("network", "allowed")
def network_namespaces(machine: Machine) -> Found:
    """The tests of AF_XDP make two of them, and a cable between."""
    most = int(machine.read("/proc/sys/user/max_net_namespaces"))
    status = machine.read("/proc/self/status")
    rights = int(status.split("CapEff:")[1].split()[0], 16)
    why = "tests of AF_XDP run between two namespaces of their own; without they are skipped"
    if most == 0:
        return Found("none", None, f"user.max_net_namespaces is 0; {why}")
    if not rights & CAP_SYS_ADMIN:
        return Found("not by this user", None, f"CAP_SYS_ADMIN is missing; {why}")
    return Found("allowed", True, why)
