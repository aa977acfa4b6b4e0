"""The report: all checks of a machine, as facts for a script and as text for a person."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from touchline.control.doctor import clock, interrupts, memory, network, processor
from touchline.control.doctor.check import Check
from touchline.control.doctor.machine import Machine, cpu_text

MARKS = {True: "ok", False: "NO", None: "?"}
WIDTH = 100
T = TypeVar("T")


@dataclass(frozen=True)
class Findings:
    """What was found. `figures` are the measurements, empty when none were taken."""

    machine: dict[str, Any]
    checks: list[Check]
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing is wrong that could be told."""
        return not any(check.ok is False for check in self.checks)

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        facts: dict[str, Any] = {
            "ok": self.ok,
            "wrong": [check.name for check in self.checks if check.ok is False],
            "untold": [check.name for check in self.checks if check.ok is None],
            "machine": self.machine,
            "checks": [check.facts() for check in self.checks],
        }
        if self.figures:
            facts["measured"] = self.figures
        return facts

    def text(self) -> str:
        """For a person: group by group, the reason under what is not as wanted."""
        lines = [headline(self.machine)]
        width = max((len(check.name) for check in self.checks), default=0)
        group = ""
        for check in self.checks:
            if check.group != group:
                group = check.group
                lines += ["", group]
            lines += check_lines(check, width)
        return "\n".join([*lines, "", closing(self.checks)])


def headline(machine: dict[str, Any]) -> str:
    kind = f"virtual ({machine['virtual']})" if machine["virtual"] else "not virtual"
    return (
        f"{machine['processor']}, {machine['cpus']} CPUs, {kind}, Linux {machine['kernel']}; "
        f"for the venue: CPU {machine['venue_cpus'] or 'none'}"
    )


def wrapped(text: str, indent: str) -> list[str]:
    """Lines of a width people can read, never broken inside a word."""
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) > WIDTH and line.strip(" #"):
            lines.append(line.rstrip())
            line = indent
        line += f"{word} "
    return [*lines, line.rstrip()]


def check_lines(check: Check, width: int) -> list[str]:
    """One check; what is wanted and why only where it is not so."""
    start = f"  {MARKS[check.ok]:2}  {check.name:{width}}  "
    indent = " " * len(start)
    first, *rest = wrapped(check.value or "not read", indent)
    lines = [start + first.lstrip(), *rest]
    if check.ok is False:
        lines += wrapped(f"wanted: {check.wanted}", indent)
    return lines if check.ok else lines + wrapped(check.why, indent)


def closing(checks: Iterable[Check]) -> str:
    """How many of what, and what to do next."""
    answers = [check.ok for check in checks]
    text = (
        f"{answers.count(True)} as wanted, {answers.count(False)} not, "
        f"{answers.count(None)} that can not be told or not be had here"
    )
    if False in answers:
        text += "; `touchline tune` prints what would mend it"
    return "\n".join(wrapped(text, ""))


def told(ask: Callable[[], T], otherwise: T) -> T:
    """The machine's answer, something else where it has none."""
    try:
        return ask()
    except (OSError, ValueError):
        return otherwise


def machine_facts(machine: Machine) -> dict[str, Any]:
    """Which machine this is, as far as it can be read."""
    nothing: tuple[int, ...] = ()
    info = told(lambda: machine.read("/proc/cpuinfo"), "")
    name = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    release = (machine.find("/proc/sys/kernel/osrelease") or "").strip()
    return {
        "processor": name[1] if name else platform.machine(),
        "cpus": len(told(machine.online, nothing)) or os.cpu_count() or 0,
        "venue_cpus": cpu_text(told(machine.venue_cpus, nothing)),
        "virtual": told(machine.virtual, None),
        "kernel": release or platform.release(),
        "root": os.geteuid() == 0,
    }


def examine(
    machine: Machine, *, interface: str | None = None, ask_zero_copy: bool = False
) -> Findings:
    """Look at everything; change nothing."""
    checks = [
        *clock.checks(machine),
        *processor.checks(machine),
        *memory.checks(machine),
        *interrupts.checks(machine),
        *network.checks(machine, interface, ask_zero_copy=ask_zero_copy),
    ]
    return Findings(machine_facts(machine), checks)


def measure(machine: Machine, report: Findings, folder: Path) -> Findings:
    """The same report with figures, about five seconds later."""
    from touchline.control.doctor import measure as measurements

    checks, figures = measurements.run(machine, folder)
    return Findings(report.machine, [*report.checks, *checks], figures)
