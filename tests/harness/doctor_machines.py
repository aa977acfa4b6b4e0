"""Two machines as files: a tuned server without a hypervisor, and a virtual machine as it comes.

The second was captured from a KVM guest with two CPUs, the files as they were. `write` makes a tree
of one of them, with some files changed (None: left out).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from touchline.control.doctor.machine import Machine

CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0"
LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max locked memory         {memlock:<20} {memlock:<20} bytes
Max realtime priority     {rtprio:<20} {rtprio:<20}
"""
NO_CAPABILITY = "Name:\tpython\nCapEff:\t0000000000000000\n"
ALL_CAPABILITIES = "Name:\tpython\nCapEff:\t000001fffeffffff\n"

SERVER: dict[str, str] = {
    f"{CLOCK}/current_clocksource": "tsc\n",
    f"{CLOCK}/available_clocksource": "tsc hpet acpi_pm \n",
    f"{CPU}/online": "0-7\n",
    f"{CPU}/isolated": "4-7\n",
    f"{CPU}/nohz_full": "4-7\n",
    f"{CPU}/smt/active": "0\n",
    f"{CPU}/cpuidle/current_driver": "intel_idle\n",
    "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/devices/system/node/online": "0-1\n",
    "sys/class/net/eth0/operstate": "up\n",
    "sys/class/net/eth0/device/vendor": "0x15b3\n",
    "sys/class/net/lo/operstate": "unknown\n",
    "proc/cpuinfo": "model name\t: Intel(R) Xeon(R)\nflags\t\t: fpu constant_tsc nonstop_tsc\n",
    "proc/cmdline": "root=/dev/sda1 isolcpus=managed_irq,domain,4-7 nohz_full=4-7 quiet\n",
    "proc/meminfo": "MemTotal: 97 kB\nHugePages_Free:      0\nHugepagesize:       2048 kB\n",
    "proc/buddyinfo": "Node 0, zone   Normal   1   0   0   0   0   0   0   0   0   40   700 \n",
    "proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    "proc/self/limits": LIMITS.format(memlock="unlimited", rtprio="99"),
    "proc/self/status": NO_CAPABILITY,
    "proc/sys/kernel/numa_balancing": "0\n",
    "proc/sys/kernel/osrelease": "6.8.0-rt\n",
    "proc/sys/kernel/sched_rt_runtime_us": "-1\n",
    "proc/sys/kernel/sched_rt_period_us": "1000000\n",
    "proc/sys/vm/swappiness": "60\n",
    "proc/sys/net/core/busy_poll": "50\n",
    "proc/sys/net/core/busy_read": "50\n",
    "proc/interrupts": (
        "            CPU0       CPU4\n"
        "  30:          7          0  IR-PCI-MSIX-0000:3b:00.0    0-edge      eth0-0\n"
        "  31:          7          0  IR-PCI-MSIX-0000:3b:00.0    1-edge      eth0-1\n"
        " NMI:          0          0   Non-maskable interrupts\n"
    ),
    "proc/irq/30/effective_affinity_list": "0\n",
    "proc/irq/30/smp_affinity_list": "0-7\n",
    "proc/irq/31/smp_affinity_list": "0-3\n",
    "proc/812/comm": "sshd\n",
}
for _cpu in range(8):
    SERVER |= {
        f"{CPU}/cpu{_cpu}/topology/thread_siblings_list": f"{_cpu}\n",
        f"{CPU}/cpu{_cpu}/cpufreq/scaling_governor": "performance\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state0/name": "POLL\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state0/latency": "0\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state0/disable": "0\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state1/name": "C1\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state1/latency": "2\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state1/disable": "0\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state2/name": "C6\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state2/latency": "133\n",
        f"{CPU}/cpu{_cpu}/cpuidle/state2/disable": "1\n",
    }

GUEST: dict[str, str] = {
    f"{CLOCK}/current_clocksource": "tsc\n",
    f"{CLOCK}/available_clocksource": "tsc kvm-clock \n",
    f"{CPU}/online": "0-1\n",
    f"{CPU}/isolated": "\n",
    f"{CPU}/smt/active": "0\n",
    f"{CPU}/smt/control": "notsupported\n",
    f"{CPU}/cpuidle/current_driver": "haltpoll\n",
    f"{CPU}/cpu0/topology/thread_siblings_list": "0\n",
    f"{CPU}/cpu1/topology/thread_siblings_list": "1\n",
    f"{CPU}/cpu1/cpuidle/state0/latency": "0\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always defer defer+madvise [madvise] never\n",
    "sys/devices/system/node/online": "0\n",
    "sys/class/net/eth0/operstate": "up\n",
    "sys/class/net/eth0/device/vendor": "0x1af4\n",
    "proc/cpuinfo": (
        "model name\t: AMD EPYC\nflags\t\t: fpu tsc constant_tsc nonstop_tsc hypervisor\n"
    ),
    "proc/cmdline": "console=ttyS0 quiet cpuidle_haltpoll.force=1 nomodule\n",
    "proc/meminfo": "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:  2048 kB\n",
    "proc/buddyinfo": (
        "Node 0, zone      DMA      0      0      0      0      0      0      0      0      1"
        "      1      3 \n"
        "Node 0, zone    DMA32      1      1      4      2      5      4      3      3      4"
        "      2    752 \n"
        "Node 0, zone   Normal   3238   2678   2907    895   1265   2151   2216   1246    356"
        "    192     59 \n"
    ),
    "proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    "proc/self/limits": LIMITS.format(memlock="8388608", rtprio="0"),
    "proc/self/status": ALL_CAPABILITIES,
    "proc/sys/kernel/numa_balancing": "0\n",
    "proc/sys/kernel/osrelease": "6.18.44\n",
    "proc/sys/kernel/sched_rt_runtime_us": "950000\n",
    "proc/sys/kernel/sched_rt_period_us": "1000000\n",
    "proc/sys/vm/swappiness": "60\n",
    "proc/sys/net/core/busy_poll": "0\n",
    "proc/sys/net/core/busy_read": "0\n",
    "proc/interrupts": (
        "           CPU0       CPU1       \n"
        " 41:       4297          0 PCI-MSIX-0000:00:04.0   1-edge      virtio3-rx\n"
        " 42:          0      10821 PCI-MSIX-0000:00:04.0   2-edge      virtio3-tx\n"
        "LOC:    2248325    2231045   Local timer interrupts\n"
    ),
    "proc/irq/41/effective_affinity_list": "0\n",
    "proc/irq/42/effective_affinity_list": "1\n",
}


def write(
    root: Path,
    files: Mapping[str, str],
    changed: Mapping[str, str | None] | None = None,
    chosen: tuple[int, ...] = (),
) -> Machine:
    """The machine in a folder."""
    for name, text in {**files, **(changed or {})}.items():
        if text is not None:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return Machine(root / "sys", root / "proc", chosen)
