"""What the network path does: busy polling, and each card's driver, queues, waiting and stamps."""

from __future__ import annotations

import ctypes.util
import errno
from collections.abc import Callable, Sequence

from touchline.control.doctor import sockets, xdp
from touchline.control.doctor.check import Check, Found, Mend, check, made, unread
from touchline.control.doctor.ethtool import Card, read_card
from touchline.control.doctor.machine import Machine

# Cards whose drivers have native XDP with zero-copy and stamp in hardware.
CAPABLE = ("i40e", "ice", "igc", "ixgbe", "mlx5_core")
# The card is the hypervisor's program: every packet passes through the host.
PARAVIRTUAL = ("virtio_net", "vmxnet3", "hv_netvsc", "xen_netfront", "ena", "gve")
# Of cards that ef_vi knows, and the library by the names that Onload's packages give it.
EFVI_DRIVERS = ("sfc", "sfc_siena")
EFVI_LIBRARIES = ("ciul", "ciul1")
NO_CARD = "no card is behind this interface"
FROM_HOST = "the host must pass a card or a function of one (SR-IOV) through"
BUSY_POLL_US = 50


@check("network", f"{BUSY_POLL_US} µs, both")
def busy_poll(machine: Machine) -> Found:
    values = {
        name: int(machine.read(f"/proc/sys/net/core/{name}")) for name in ("busy_poll", "busy_read")
    }
    why = "a reader polls the card for so long before it sleeps, instead of awaiting an interrupt"
    mend = tuple(
        Mend("sysctl", f"net.core.{name}={BUSY_POLL_US}")
        for name, value in values.items()
        if not value
    )
    value = ", ".join(f"{name} {value}" for name, value in values.items())
    return Found(value, not mend, why, mend)


def has_card(machine: Machine, interface: str) -> bool:
    return machine.path(f"/sys/class/net/{interface}/device").exists()


def impossible(card: Card, machine: Machine) -> str | None:
    """Why this interface can not do what a card does, None when it is a card."""
    if not has_card(machine, card.interface):
        return NO_CARD
    if card.driver is not None and card.driver.name in PARAVIRTUAL:
        return f"not to be had in this virtual machine: {FROM_HOST}"
    return None


def interfaces(machine: Machine) -> list[str]:
    """Those with a card behind them that are up."""
    found = []
    for name in machine.names("/sys/class/net"):
        if not has_card(machine, name):
            continue
        if machine.find(f"/sys/class/net/{name}/operstate") in ("up", "unknown"):
            found.append(name)
    return found


def driver(card: Card, machine: Machine) -> Found:
    """ethtool -i."""
    if card.driver is None:
        return Found("none", None, f"can not be told: {card.silent.get('driver')}")
    told = card.driver
    words = [told.name, told.version, f"at {told.bus}" if told.bus else ""]
    if told.firmware:
        words.append(f"firmware {told.firmware}")
    value = " ".join(word for word in words if word)
    if told.name in CAPABLE:
        return Found(value, True, "native XDP with zero-copy, time stamps in hardware")
    if reason := impossible(card, machine):
        return Found(value, None, reason)
    return Found(value, None, "what this driver can do is not known here; see the trial bind")


def queues(card: Card, machine: Machine) -> Found:
    """ethtool -l."""
    channels = card.channels
    why = "with a queue of its own, the venue's flow does not stand behind anybody else's"
    if channels is None:
        return Found("none", None, f"can not be told: {card.silent.get('channels')}")
    most = channels.receiving_max
    value = f"{channels.receiving} of {most}"
    if channels.receiving >= 2:
        return Found(value, True, why)
    if not has_card(machine, card.interface):
        return Found(value, None, NO_CARD)
    if most < 2:
        reason = "the host gives one" if machine.virtual() else "the card has one"
        return Found(value, None, f"{reason}; {why}")
    kind = "combined" if channels.combined_max > 1 else "rx"
    wanted = min(most, max(2, len(machine.online())))
    mend = Mend("shell", f"sudo ethtool -L {card.interface} {kind} {wanted}")
    return Found(value, False, why, (mend,))


def coalescing(card: Card, machine: Machine) -> Found:
    """ethtool -c."""
    told = card.coalescing
    if told is None:
        return Found("none", None, f"can not be told: {card.silent.get('coalescing')}")
    adaptive = told.adaptive_rx or told.adaptive_tx
    value = f"receive {told.rx_us} µs, send {told.tx_us} µs"
    value += ", adaptive" if adaptive else ""
    ok = not adaptive and told.rx_us == 0
    why = "the card holds back the interrupt for so long, in case that more packets come"
    mends = []
    if adaptive:
        off = ["adaptive-rx off"] * told.adaptive_rx + ["adaptive-tx off"] * told.adaptive_tx
        mends.append(Mend("shell", f"sudo ethtool -C {card.interface} {' '.join(off)}"))
    mends.append(Mend("shell", f"sudo ethtool -C {card.interface} rx-usecs 0"))
    return Found(value, ok, why, tuple(mends))


def timestamping(card: Card, machine: Machine) -> Found:
    """ethtool -T."""
    told = card.timestamping
    why = "only the card knows when a packet came; software stamps it after the wait"
    if told is None:
        return Found("none", None, f"can not be told: {card.silent.get('timestamping')}")
    if told.hardware:
        clock = "no clock" if told.clock is None else f"/dev/ptp{told.clock}"
        return Found(f"hardware, {clock}", told.clock is not None, why)
    value = "software" if told.software else "software, receiving alone"
    if reason := impossible(card, machine):
        return Found(value, None, f"{reason}; {why}")
    return Found(value, False, f"this card has none; {why}")


CardFunction = Callable[[Card, Machine], Found]
CARD_CHECKS: dict[str, tuple[CardFunction, str]] = {
    "driver": (driver, "native XDP and hardware time stamps"),
    "queues": (queues, "at least 2"),
    "coalescing": (coalescing, "receive 0 µs, not adaptive"),
    "timestamping": (timestamping, "hardware, both ways, with a clock"),
}


def card_checks(card: Card, machine: Machine) -> list[Check]:
    """What is checked of each card."""
    return [
        made(f"{card.interface} {name}", "network", wanted, function(card, machine))
        for name, (function, wanted) in CARD_CHECKS.items()
    ]


def xdp_found(trial: xdp.Trial, card: Card, machine: Machine) -> Found:
    """What a trial bind says."""
    refusals = "; ".join(f"{mode} refused: {text}" for mode, text in trial.refused.items())
    value = f"queue {trial.queue}: asked {trial.asked}, got {trial.got or 'nothing'}"
    value += f" ({refusals})" if refusals else ""
    why = "zero-copy spares a copy and a buffer of the kernel's for each packet"
    if trial.got == "zero-copy":
        return Found(value, True, why)
    if trial.error in (errno.EPERM, errno.EACCES):
        return Found(value, None, "a raw socket needs CAP_NET_RAW: run it as root")
    if trial.error == errno.EAFNOSUPPORT:
        return Found(value, False, "this kernel was built without CONFIG_XDP_SOCKETS")
    if trial.asked == "copy" and trial.got:
        why = "not asked for zero-copy: this driver may stop the queue for it; --ask-zero-copy does"
        return Found(value, None, why)
    if reason := impossible(card, machine):
        return Found(value, None, f"{reason}; {why}")
    return Found(value, False, why)


def xdp_check(card: Card, machine: Machine, *, ask_zero_copy: bool) -> Check:
    """Try how AF_XDP would run on the interface's last queue."""
    name, wanted = f"{card.interface} xdp", "zero-copy"
    try:
        attached = xdp.attached(card.interface)
        if attached != "none":
            why = "a program is attached: somebody uses it, so nothing was tried"
            return made(name, "network", wanted, Found(f"{attached} program", None, why))
        calm = (card.driver.name if card.driver else card.interface) in xdp.CALM
        queue = max(1, card.channels.receiving if card.channels else 1) - 1
        trial = xdp.trial(card.interface, queue, zero_copy=calm or ask_zero_copy)
    except (OSError, ValueError) as error:
        return unread(name, "network", wanted, error)
    return made(name, "network", wanted, xdp_found(trial, card, machine))


def ef_vi_library() -> str | None:
    """Onload's library as the linker finds it, None where it is not installed."""
    return next(filter(None, map(ctypes.util.find_library, EFVI_LIBRARIES)), None)


def ef_vi_found(library: str | None, cards: Sequence[Card]) -> Found:
    """Could a port over ef_vi be built and opened here?"""
    fit = [card.interface for card in cards if card.driver and card.driver.name in EFVI_DRIVERS]
    value = f"library {library or 'not found'}, cards {', '.join(fit) or 'none'}"
    if library and fit:
        return Found(value, True, "a port over ef_vi can be built; it has never run")
    if not fit:
        return Found(value, None, "ef_vi is for cards of Solarflare and AMD, and none is here")
    why = "Onload's library is not installed, so that touchline_efvi can not be built"
    return Found(value, None, why)


def ef_vi_check(cards: Sequence[Card]) -> Check:
    return made(
        "ef_vi",
        "network",
        "Onload's library, where there is a card for it",
        ef_vi_found(ef_vi_library(), cards),
    )


def checks(machine: Machine, interface: str | None, *, ask_zero_copy: bool = False) -> list[Check]:
    """Busy polling and all cards; or the one interface, and XDP on it."""
    names: Sequence[str] = [interface] if interface else interfaces(machine)
    found = [busy_poll(machine)]
    cards = [read_card(name) for name in names]
    for name, card in zip(names, cards, strict=True):
        found += card_checks(card, machine)
        if interface:
            found.append(sockets.sockets_check(name))
            found.append(xdp_check(card, machine, ask_zero_copy=ask_zero_copy))
            found.append(sockets.network_namespaces(machine))
    found.append(ef_vi_check(cards))
    if not names:
        what = Found("none that is up", None, "no interface has a card behind it; name one")
        found.append(made("network card", "network", "one", what))
    return found
