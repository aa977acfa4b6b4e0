"""Which interrupts may disturb the CPUs kept for the venue."""

from __future__ import annotations

import re

from touchline.control.doctor.check import Check, Found, Mend, check
from touchline.control.doctor.machine import Machine, cpu_list, cpu_text
from touchline.control.doctor.processor import NOTHING_LEFT

MENDED_MAX = 64  # more commands than this nobody reads; the boot parameter does it all


def numbered(machine: Machine) -> list[str]:
    """The interrupts that have a device, by number."""
    return re.findall(r"^\s*(\d+):", machine.read("/proc/interrupts"), re.MULTILINE)


def disturbing(machine: Machine, cpus: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Interrupts that go to one of the CPUs: number, and where they go now."""
    found = {}
    for number in numbered(machine):
        folder = f"/proc/irq/{number}"
        goes_to = machine.find(f"{folder}/effective_affinity_list")
        if goes_to is None:
            goes_to = machine.find(f"{folder}/smp_affinity_list") or ""
        where = cpu_list(goes_to)
        if set(where) & set(cpus):
            found[number] = where
    return found


@check("interrupts", "none on the venue's CPUs")
def irq_affinity(machine: Machine) -> Found:
    cpus, others = machine.venue_cpus(), machine.other_cpus()
    if not cpus or not others:
        return Found("all CPUs are one", None, NOTHING_LEFT)
    wanted = f"none on CPU {cpu_text(cpus)}"
    found = disturbing(machine, cpus)
    total = len(numbered(machine))
    why = "a device's interrupt stops the engine for microseconds, and what it runs for longer"
    if not found:
        return Found(f"none of {total}", True, why, wanted=wanted)
    listed = cpu_text(int(number) for number in found)
    left = cpu_text(others)
    mends = [Mend("boot", f"irqaffinity={left}")]
    if len(found) <= MENDED_MAX:
        mends += [
            Mend("shell", f"echo {left} | sudo tee /proc/irq/{number}/smp_affinity_list")
            for number in found
        ]
    why += "; a write is refused for an interrupt that the kernel manages: isolcpus=managed_irq"
    return Found(f"{len(found)} of {total}: {listed}", False, why, tuple(mends), wanted)


@check("interrupts", "not running")
def irqbalance(machine: Machine) -> Found:
    """It would undo the affinities set by hand."""
    machine.read("/proc/interrupts")  # without /proc nothing is known of processes either
    for name in machine.names("/proc"):
        if name.isdigit() and machine.find(f"/proc/{name}/comm") == "irqbalance":
            mend = (Mend("shell", "sudo systemctl disable --now irqbalance"),)
            return Found(f"running, pid {name}", False, "it moves interrupts back", mend)
    return Found("not running", True, "it would move interrupts back")


CHECKS = (irq_affinity, irqbalance)


def checks(machine: Machine) -> list[Check]:
    """All of them."""
    return [run(machine) for run in CHECKS]
