"""What memory does: huge pages, locking, swapping, moving; and what the scheduler allows."""

from __future__ import annotations

import re

from touchline.control.doctor.check import Check, Found, Mend, check
from touchline.control.doctor.machine import Machine, cpu_list
from touchline.control.doctor.processor import write_to

MIB = 1 << 20
HUGE_FREE_MIN = 64 * MIB  # the state of an engine of ordinary size, and its bus
HUGE_ORDER = 9  # 512 pages of 4 KiB
CAP_IPC_LOCK, CAP_SYS_NICE = 14, 23
THP = "/sys/kernel/mm/transparent_hugepage"


def chosen_word(text: str) -> str:
    """The word in brackets, as in `always [madvise] never`."""
    found = re.search(r"\[(\S+)\]", text)
    return found[1] if found else text


@check("memory", f"at least {HUGE_FREE_MIN // MIB} MiB that the kernel can give at once")
def huge_pages(machine: Machine) -> Found:
    """Whole free blocks, not free memory: fragmented memory gives none."""
    info = machine.read("/proc/meminfo")
    size = re.search(r"^Hugepagesize:\s+(\d+) kB", info, re.MULTILINE)
    reserved = re.search(r"^HugePages_Free:\s+(\d+)", info, re.MULTILINE)
    if size is None or int(size[1]) != 2048:
        return Found("none of 2 MiB", None, "this kernel has no huge pages of 2 MiB")
    free = 0
    for line in machine.read("/proc/buddyinfo").splitlines():
        blocks = [int(word) for word in line.split()[4:]]
        free += (
            sum(count << order for order, count in enumerate(blocks) if order >= HUGE_ORDER) * 4096
        )
    value = f"{free // MIB} MiB in whole blocks, {reserved[1] if reserved else 0} pages reserved"
    why = "the engine's state lies in huge pages (madvise): without them each step misses the TLB"
    mend = (Mend("shell", "echo 1 | sudo tee /proc/sys/vm/compact_memory"),)
    return Found(value, free >= HUGE_FREE_MIN, why, mend)


@check("memory", "madvise")
def transparent_huge_pages(machine: Machine) -> Found:
    if machine.absent(THP, "/sys/kernel/mm"):
        return Found("not in this kernel", False, "needs CONFIG_TRANSPARENT_HUGEPAGE")
    value = chosen_word(machine.read(f"{THP}/enabled"))
    why = "the engine asks for them where it wants them; given to everybody (always), the kernel "
    why += "stops processes to make them; never, and the engine has none"
    mend = (
        write_to("madvise", f"{THP}/enabled"),
        Mend("boot", "transparent_hugepage=madvise"),
    )
    return Found(value, value == "madvise", why, mend)


@check("memory", "unlimited")
def memlock(machine: Machine) -> Found:
    limit = machine.soft_limit("Max locked memory")
    why = "the engine locks its bus in memory, so that no page of it is ever missing"
    if limit is None:
        return Found("unlimited", True, why)
    value = f"{limit // 1024} KiB"
    if machine.capable(CAP_IPC_LOCK):
        return Found(f"{value}, not applied: CAP_IPC_LOCK", True, why)
    mend = (
        Mend("limits", "* soft memlock unlimited"),
        Mend("limits", "* hard memlock unlimited"),
    )
    return Found(value, False, f"{why}; under systemd: LimitMEMLOCK=infinity", mend)


@check("memory", "none, or vm.swappiness 0")
def swap(machine: Machine) -> Found:
    why = "a page that was swapped out costs milliseconds at its next use"
    if machine.absent("/proc/swaps", "/proc"):
        return Found("not in this kernel", True, why)
    areas = machine.read("/proc/swaps").splitlines()[1:]
    if not areas:
        return Found("none", True, why)
    swappiness = machine.read("/proc/sys/vm/swappiness")
    value = f"{len(areas)} in use, vm.swappiness {swappiness}"
    mend = (Mend("shell", "sudo swapoff -a"), Mend("sysctl", "vm.swappiness=0"))
    return Found(value, swappiness == "0", why, mend)


@check("memory", "off")
def numa_balancing(machine: Machine) -> Found:
    nodes = machine.find("/sys/devices/system/node/online") or "0"
    count = len(cpu_list(nodes))
    why = "it takes pages away for a moment to see who uses them, and moves them"
    if machine.absent("/proc/sys/kernel/numa_balancing", "/proc/sys/kernel"):
        return Found(f"not in this kernel, nodes: {count}", True, why)
    text = machine.read("/proc/sys/kernel/numa_balancing")
    value = f"{'off' if text == '0' else 'on'}, nodes: {count}"
    return Found(value, text == "0", why, (Mend("sysctl", "kernel.numa_balancing=0"),))


@check("scheduler", "off (-1)")
def rt_throttling(machine: Machine) -> Found:
    runtime_us = int(machine.read("/proc/sys/kernel/sched_rt_runtime_us"))
    period_us = int(machine.read("/proc/sys/kernel/sched_rt_period_us"))
    why = "a real-time thread that spins is stopped for the rest of each period"
    mend = (Mend("sysctl", "kernel.sched_rt_runtime_us=-1"),)
    if runtime_us < 0 or runtime_us >= period_us:
        return Found(str(runtime_us), True, why)
    stopped_ms = (period_us - runtime_us) / 1000
    return Found(f"stopped {stopped_ms:g} ms in {period_us / 1000:g}", False, why, mend)


@check("scheduler", "at least 50")
def rt_priority(machine: Machine) -> Found:
    limit = machine.soft_limit("Max realtime priority")
    why = "`chrt -f 50` lets nothing ordinary take the engine's CPU"
    if limit is None or limit >= 50:
        return Found("unlimited" if limit is None else str(limit), True, why)
    if machine.capable(CAP_SYS_NICE):
        return Found(f"{limit}, not applied: CAP_SYS_NICE", True, why)
    mend = (Mend("limits", "* soft rtprio 99"), Mend("limits", "* hard rtprio 99"))
    return Found(str(limit), False, f"{why}; under systemd: LimitRTPRIO=99", mend)


CHECKS = (
    huge_pages,
    transparent_huge_pages,
    memlock,
    swap,
    numa_balancing,
    rt_throttling,
    rt_priority,
)


def checks(machine: Machine) -> list[Check]:
    """All of them."""
    return [run(machine) for run in CHECKS]
