"""The machine as files: /sys and /proc under any root, and what they say about its processors.

A test gives a captured tree instead of the real one. Nothing is cached: a report reads each file
once or twice. Reading fails with OSError; the check that asked turns it into "cannot be told".
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CPU = "/sys/devices/system/cpu"
CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0"
CORES_PROPOSED_MAX = 4
# How a hypervisor names itself in the DMI tables, in the order looked for.
VENDORS = {
    "Amazon EC2": "EC2",
    "Google": "Google Compute Engine",
    "Microsoft Corporation": "Hyper-V",
    "VMware": "VMware",
    "innotek": "VirtualBox",
    "Xen": "Xen",
    "QEMU": "QEMU/KVM",
    "Red Hat": "KVM",
    "OpenStack": "KVM",
}


def cpu_list(text: str) -> tuple[int, ...]:
    """The CPUs of a list as the kernel writes it, such as `0-3,8`; `(null)` is none.

    Raises ValueError for anything else.
    """
    found: set[int] = set()
    for part in text.strip().split(","):
        if part in ("", "(null)"):
            continue
        first, dash, last = part.partition("-")
        found.update(range(int(first), int(last if dash else first) + 1))
    return tuple(sorted(found))


def cpu_text(cpus: Iterable[int]) -> str:
    """The list as the kernel writes it; empty for none."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


@dataclass(frozen=True)
class Machine:
    """Where the machine's files are, and which CPUs the operator means for the venue, if told."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    chosen: tuple[int, ...] = ()

    @property
    def here(self) -> bool:
        """Whether this is the machine we run on, not the files of another."""
        return self.proc == Path("/proc")

    def path(self, name: str) -> Path:
        """Where the file is that has this name on a running machine."""
        top, _, rest = name.removeprefix("/").partition("/")
        return {"sys": self.sys, "proc": self.proc}[top] / rest

    def read(self, name: str) -> str:
        """The file's text without the white space around it. Raises OSError."""
        return self.path(name).read_text(errors="replace").strip()

    def find(self, name: str) -> str | None:
        """The same, None when there is no such file here. Raises OSError when it can't be read."""
        try:
            return self.read(name)
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None

    def names(self, folder: str) -> list[str]:
        """What is in a folder; nothing when there is none."""
        try:
            return sorted(path.name for path in self.path(folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def absent(self, name: str, folder: str) -> bool:
        """Whether this kernel has no such file, as far as the folder shows what it has.

        Raises OSError when the folder itself is not there: then nothing is known.
        """
        if not self.names(folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path(folder)))
        return not self.path(name).exists()

    # ── processors ──────────────────────────────────────────────────────────────────────────────

    def online(self) -> tuple[int, ...]:
        return cpu_list(self.read(f"{CPU}/online"))

    def siblings(self, cpu: int) -> tuple[int, ...]:
        """The CPUs of the same core that are online, the CPU itself among them."""
        text = self.find(f"{CPU}/cpu{cpu}/topology/thread_siblings_list")
        return cpu_list(text) if text else (cpu,)

    def cores(self) -> list[tuple[int, ...]]:
        """The CPUs of each core."""
        return sorted({self.siblings(cpu) for cpu in self.online()})

    def isolated(self) -> tuple[int, ...]:
        """Isolated at boot, or by a cpuset partition."""
        boot = cpu_list(self.find(f"{CPU}/isolated") or "")
        partition = cpu_list(self.find("/sys/fs/cgroup/cpuset.cpus.isolated") or "")
        return tuple(sorted({*boot, *partition}))

    def proposed(self) -> tuple[int, ...]:
        """Half of the cores, four at the most, counted from the last; none of a single core."""
        cores = self.cores()
        count = min(len(cores) // 2, CORES_PROPOSED_MAX)
        return tuple(sorted(cpu for core in cores[len(cores) - count :] for cpu in core))

    def venue_cpus(self) -> tuple[int, ...]:
        """The CPUs kept for the venue: those named, else those isolated, else a proposal."""
        return self.chosen or self.isolated() or self.proposed()

    def other_cpus(self) -> tuple[int, ...]:
        """The CPUs left to the system and everything else."""
        venue = self.venue_cpus()
        return tuple(cpu for cpu in self.online() if cpu not in venue)

    def cpu_flags(self) -> frozenset[str]:
        """What the first processor can do; empty where the kernel has no such line (not x86)."""
        found = re.search(r"^flags\s*:(.*)$", self.read("/proc/cpuinfo"), re.MULTILINE)
        return frozenset(found[1].split()) if found else frozenset()

    def cmdline(self) -> dict[str, str]:
        """The kernel's parameters at boot, a flag with an empty value."""
        words = (self.find("/proc/cmdline") or "").split()
        return {key: value for key, _, value in (word.partition("=") for word in words)}

    # ── what kind of machine ────────────────────────────────────────────────────────────────────

    def virtual(self) -> str | None:
        """The hypervisor's name as far as it can be told, None on a machine of its own."""
        vendor = self.find("/sys/class/dmi/id/sys_vendor") or ""
        product = self.find("/sys/class/dmi/id/product_name") or ""
        flags = self.cpu_flags()
        if flags and "hypervisor" not in flags:
            return None
        for name, hypervisor in VENDORS.items():
            if name in vendor or name in product:
                return None if not flags and "metal" in product else hypervisor
        kind = self.find("/sys/hypervisor/type")
        if kind:
            return kind.capitalize()
        clocks = self.find(f"{CLOCKSOURCE}/available_clocksource") or ""
        for clock, hypervisor in {"kvm": "KVM", "hyperv": "Hyper-V", "xen": "Xen"}.items():
            if clock in clocks:
                return hypervisor
        return "unnamed hypervisor" if flags else None

    def capable(self, capability: int) -> bool:
        """Whether this process has one of the kernel's capabilities, by its number."""
        found = re.search(r"^CapEff:\s*([0-9a-f]+)", self.read("/proc/self/status"), re.MULTILINE)
        return found is not None and bool(int(found[1], 16) >> capability & 1)

    def soft_limit(self, name: str) -> int | None:
        """A resource limit as /proc/self/limits names it; None is unlimited.

        Raises OSError when the limit is not listed.
        """
        text = self.read("/proc/self/limits")
        found = re.search(rf"^{re.escape(name)}\s+(\d+|unlimited)", text, re.MULTILINE)
        if found is None:
            raise OSError(f"/proc/self/limits does not list {name!r}")
        return None if found[1] == "unlimited" else int(found[1])
