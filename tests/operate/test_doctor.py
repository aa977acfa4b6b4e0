"""The doctor's checks on machines made of files: a tuned server, a guest, and each thing wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import doctor_machines
from harness.doctor_machines import CLOCK, CPU, GUEST, LIMITS, NO_CAPABILITY, SERVER
from touchline.control.doctor import interrupts, memory, network, processor, tune
from touchline.control.doctor.check import Check
from touchline.control.doctor.ethtool import Card
from touchline.control.doctor.machine import Machine, cpu_list, cpu_text
from touchline.control.doctor.report import Findings, machine_facts

THP = "sys/kernel/mm/transparent_hugepage/enabled"


def look(machine: Machine) -> dict[str, Check]:
    """All checks that read files, by name."""
    found = [*processor.checks(machine), *memory.checks(machine), *interrupts.checks(machine)]
    return {check.name: check for check in [*found, network.busy_poll(machine)]}


def commands(check: Check) -> str:
    return "\n".join(mend.text for mend in check.mend)


def report_of(machine: Machine) -> Findings:
    return Findings(machine_facts(machine), list(look(machine).values()))


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("", ()), ("(null)\n", ()), ("3", (3,)), ("0-2,7", (0, 1, 2, 7)), ("6,0-1", (0, 1, 6))],
)
def test_a_list_of_cpus_is_read_as_the_kernel_writes_it(text: str, cpus: tuple[int, ...]) -> None:
    assert cpu_list(text) == cpus
    assert cpu_list(cpu_text(cpus)) == cpus


def test_a_tuned_server_has_nothing_wrong(tmp_path: Path) -> None:
    checks = look(doctor_machines.write(tmp_path, SERVER))
    assert {name for name, check in checks.items() if check.ok is not True} == set()
    assert not any(check.mend for check in checks.values())


def test_a_guest_is_told_what_it_lacks_and_what_it_can_not_have(tmp_path: Path) -> None:
    machine = doctor_machines.write(tmp_path, GUEST)
    assert machine.virtual() == "KVM"
    assert machine.venue_cpus() == (1,)
    checks = look(machine)
    assert {name for name, check in checks.items() if check.ok is False} == {
        "isolated cores",
        "nohz full",
        "rt throttling",
        "irq affinity",
        "busy poll",
    }
    untold = {name: check.why for name, check in checks.items() if check.ok is None}
    assert untold.keys() == {"governor", "c states", "smt"}
    assert all("host" in why for why in untold.values())


WRONG = {
    "clocksource": ({f"{CLOCK}/current_clocksource": "hpet\n"}, "clocksource=tsc"),
    "isolated cores": ({f"{CPU}/isolated": "\n"}, "isolcpus=managed_irq,domain,4-7"),
    "nohz full": ({f"{CPU}/nohz_full": "  (null)\n"}, "nohz_full=4-7 rcu_nocbs=4-7"),
    "governor": (
        {f"{CPU}/cpu{n}/cpufreq/scaling_governor": "powersave\n" for n in (4, 6)},
        f"echo performance | sudo tee /{CPU}/cpu{{4,6}}/cpufreq/scaling_governor",
    ),
    "c states": (
        {f"{CPU}/cpu5/cpuidle/state2/disable": "0\n"},
        f"echo 1 | sudo tee /{CPU}/cpu5/cpuidle/state2/disable",
    ),
    "smt": (
        {f"{CPU}/cpu{n}/topology/thread_siblings_list": "3-4\n" for n in (3, 4)},
        f"echo off | sudo tee /{CPU}/smt/control",
    ),
    "huge pages": (
        {"proc/buddyinfo": "Node 0, zone Normal 9 9 9 9 9 9 9 9 900 1 1\n"},
        "/proc/sys/vm/compact_memory",
    ),
    "transparent huge pages": ({THP: "[always] madvise never\n"}, f"tee /{THP}"),
    "memlock": (
        {"proc/self/limits": LIMITS.format(memlock="8388608", rtprio="99")},
        "* hard memlock unlimited",
    ),
    "swap": ({"proc/swaps": "Filename\n/swap.img file 8388604 0 -2\n"}, "sudo swapoff -a"),
    "numa balancing": ({"proc/sys/kernel/numa_balancing": "1\n"}, "kernel.numa_balancing=0"),
    "rt throttling": (
        {"proc/sys/kernel/sched_rt_runtime_us": "950000\n"},
        "kernel.sched_rt_runtime_us=-1",
    ),
    "rt priority": (
        {"proc/self/limits": LIMITS.format(memlock="unlimited", rtprio="0")},
        "* soft rtprio 99",
    ),
    "irq affinity": (
        {"proc/irq/30/effective_affinity_list": "6\n"},
        "echo 0-3 | sudo tee /proc/irq/30/smp_affinity_list",
    ),
    "irqbalance": ({"proc/911/comm": "irqbalance\n"}, "disable --now irqbalance"),
    "busy poll": ({"proc/sys/net/core/busy_read": "0\n"}, "net.core.busy_read=50"),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_wrong_thing_is_found_alone_and_its_mend_is_named(name: str, tmp_path: Path) -> None:
    changed, command = WRONG[name]
    checks = look(doctor_machines.write(tmp_path, SERVER, changed))
    assert [check.name for check in checks.values() if check.ok is False] == [name]
    assert command in commands(checks[name])


def test_every_check_but_one_can_go_wrong(tmp_path: Path) -> None:
    """The flags of the processor are the exception: nothing mends them."""
    assert look(doctor_machines.write(tmp_path, SERVER)).keys() - WRONG.keys() == {"steady tsc"}


def test_an_unsteady_tsc_is_wrong_here_and_the_hosts_affair_in_a_guest(tmp_path: Path) -> None:
    for files, ok in ((SERVER, False), (GUEST, None)):
        text = files["proc/cpuinfo"].replace("nonstop_tsc", "")
        machine = doctor_machines.write(tmp_path / str(ok), files, {"proc/cpuinfo": text})
        assert look(machine)["steady tsc"].ok is ok


def test_a_capability_lifts_a_limit(tmp_path: Path) -> None:
    for capable, ok in ((NO_CAPABILITY, False), (GUEST["proc/self/status"], True)):
        changed = {"proc/self/status": capable}
        checks = look(doctor_machines.write(tmp_path / str(ok), GUEST, changed))
        assert (checks["memlock"].ok, checks["rt priority"].ok) == (ok, ok)


def test_the_cpus_an_operator_names_are_the_ones_that_count(tmp_path: Path) -> None:
    checks = look(doctor_machines.write(tmp_path, SERVER, chosen=(3, 4)))
    assert {name for name, check in checks.items() if check.ok is False} == {
        "isolated cores",
        "nohz full",
        "irq affinity",
    }
    assert checks["isolated cores"].wanted == "3-4"
    assert "isolcpus=managed_irq,domain,3-4" in commands(checks["isolated cores"])
    assert checks["irq affinity"].value == "1 of 2: 31"


def test_a_single_cpu_can_not_be_divided(tmp_path: Path) -> None:
    changed = {f"{CPU}/online": "0\n", f"{CPU}/cpu1/topology/thread_siblings_list": None}
    checks = look(doctor_machines.write(tmp_path, GUEST, changed))
    for name in ("isolated cores", "nohz full", "irq affinity"):
        assert checks[name].ok is None
        assert "a single core" in checks[name].why


def test_what_can_not_be_read_is_untold_and_says_which_file(tmp_path: Path) -> None:
    machine = doctor_machines.write(tmp_path, SERVER, {THP: None})
    (tmp_path / THP).mkdir(parents=True)
    (tmp_path / f"{CLOCK}/current_clocksource").unlink()
    checks = look(machine)
    for name, file in (("transparent huge pages", THP), ("clocksource", CLOCK)):
        assert (checks[name].ok, checks[name].value, checks[name].mend) == (None, None, ())
        assert file in checks[name].why


def test_an_empty_machine_is_told_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    report = report_of(Machine(tmp_path / "sys", tmp_path / "proc"))
    assert (report.machine["virtual"], report.machine["venue_cpus"]) == (None, "")
    assert "can not be told" in report.text()
    assert {check.ok for check in report.checks} == {None}


def test_a_kernel_without_huge_pages_is_not_one_that_hides_them(tmp_path: Path) -> None:
    changed = {THP: None, "sys/kernel/mm/swap/vma_ra_enabled": "true\n"}
    found = look(doctor_machines.write(tmp_path, SERVER, changed))["transparent huge pages"]
    assert (found.ok, found.value, found.mend) == (False, "not in this kernel", ())


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "KVM"),
        ({"sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}, "EC2"),
        ({f"{CLOCK}/available_clocksource": "tsc\n"}, "unnamed hypervisor"),
        ({"proc/cpuinfo": "flags : fpu\n"}, None),
        ({"proc/cpuinfo": "Features : fp\n", f"{CLOCK}/available_clocksource": "arch\n"}, None),
    ],
)
def test_a_hypervisor_is_named_as_far_as_it_shows(
    changed: dict[str, str | None], name: str | None, tmp_path: Path
) -> None:
    assert doctor_machines.write(tmp_path, GUEST, changed).virtual() == name


def test_the_report_says_why_only_where_something_is_not_as_wanted(tmp_path: Path) -> None:
    report = report_of(doctor_machines.write(tmp_path, GUEST))
    text = report.text()
    assert text.startswith("AMD EPYC, 2 CPUs, virtual (KVM), Linux 6.18.44; for the venue: CPU 1\n")
    assert "  ok  clocksource             tsc\n" in text
    assert "  NO  rt throttling           stopped 50 ms in 1000\n" in text
    assert "wanted: off (-1)" in text
    assert "`touchline tune`" in text
    assert max(len(line) for line in text.splitlines()) <= 100
    facts = report.facts()
    assert facts["ok"] is False
    assert "rt throttling" in facts["wrong"]
    assert all(set(check) == {"name", "group", "value", "wanted", "ok", "why", "mend"}
               for check in facts["checks"])  # fmt: skip


def test_a_script_gathers_what_belongs_into_one_place(tmp_path: Path) -> None:
    changed: dict[str, str | None] = {"proc/self/status": NO_CAPABILITY}
    changed[f"{CPU}/nohz_full"] = "(null)"
    lines = tune.script(report_of(doctor_machines.write(tmp_path, GUEST, changed))).splitlines()
    boot = [line for line in lines if "GRUB_CMDLINE_LINUX" in line]
    assert len(boot) == 1
    assert (
        "isolcpus=managed_irq,domain,1 irqaffinity=0 nohz_full=1 rcu_nocbs=1"
        in boot[0]
    )  # fmt: skip
    at = lines.index("sudo tee /etc/sysctl.d/90-touchline.conf <<'END'")
    assert lines[at + 1 : at + 5] == [
        "kernel.sched_rt_runtime_us=-1",
        "net.core.busy_poll=50",
        "net.core.busy_read=50",
        "END",
    ]
    assert "* hard memlock unlimited" in lines
    assert "echo 0 | sudo tee /proc/irq/42/smp_affinity_list" in lines


def test_a_script_is_one_that_the_shell_understands(tmp_path: Path) -> None:
    every = {name: text for changed, _ in WRONG.values() for name, text in changed.items()}
    report = report_of(doctor_machines.write(tmp_path, SERVER, every))
    script = tune.script(report)
    assert len([check for check in report.checks if check.ok is False]) > 12
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for check in report.checks:
        for mend in check.mend:
            subprocess.run(["bash", "-n", "-c", mend.command()], check=True)


def test_a_script_run_with_harmless_tools_writes_what_the_report_named(tmp_path: Path) -> None:
    """`sudo` notes what it is asked for and runs nothing."""
    report = report_of(doctor_machines.write(tmp_path / "machine", GUEST))
    noted = tmp_path / "noted"
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sudo").write_text(f'#!/bin/sh\necho "$@" >> {noted}\ncat > /dev/null\n')
    (tools / "sudo").chmod(0o755)
    script = tmp_path / "tune.sh"
    script.write_text(tune.script(report))
    subprocess.run(
        ["bash", "-e", script],
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
    )
    assert noted.read_text().splitlines() == [
        "tee /proc/irq/42/smp_affinity_list",
        "tee /etc/sysctl.d/90-touchline.conf",
        "sysctl -p /etc/sysctl.d/90-touchline.conf",
        "tee -a /etc/default/grub.d/90-touchline.cfg",
        "update-grub",
    ]


def test_a_script_says_when_there_is_nothing_to_mend_or_no_way_to(tmp_path: Path) -> None:
    good = tune.script(report_of(doctor_machines.write(tmp_path / "good", SERVER)))
    assert good.endswith("# Nothing to mend.")
    assert all(line.startswith("#") or not line for line in good.splitlines())
    guest = tune.script(report_of(doctor_machines.write(tmp_path / "guest", GUEST)))
    assert "# No command mends these:\n# nohz full: not in this kernel; wanted: 1.\n" in guest


def test_only_interfaces_with_a_card_that_are_up_are_looked_at(tmp_path: Path) -> None:
    files = {f"sys/class/net/eth{n}/operstate": state for n, state in ((1, "down"), (2, "up"))}
    files["sys/class/net/eth1/device/vendor"] = "0x8086"
    machine = doctor_machines.write(tmp_path, SERVER, files)
    assert network.interfaces(machine) == ["eth0"]
    assert network.impossible(Card("eth2"), machine) == network.NO_CARD
