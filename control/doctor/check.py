"""One check: what is here, what is wanted, why, and what would mend it.

A check is a function of the machine that returns a Found; the decorator `check` names it and turns
what can not be read into a Check whose `ok` is None.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from touchline.control.doctor.machine import Machine
from touchline.errors import describe

BOOT_FILE = "/etc/default/grub.d/90-touchline.cfg"
LIMITS_FILE = "/etc/security/limits.d/90-touchline.conf"


def boot_command(parameters: str) -> str:
    """Give the kernel more parameters from the next boot on (GRUB as Debian and Ubuntu have it)."""
    line = f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {parameters}"'
    return f"echo '{line}' | sudo tee -a {BOOT_FILE} && sudo update-grub"


class Mend(NamedTuple):
    """Something that mends: a shell command, or a line for a place that lasts over a reboot."""

    place: Literal["shell", "sysctl", "boot", "limits"]
    text: str

    def command(self) -> str:
        """As a command of its own."""
        if self.place == "sysctl":
            return f"sudo sysctl -w {self.text}"
        if self.place == "boot":
            return f"{boot_command(self.text)}  # then reboot"
        if self.place == "limits":
            return f"echo '{self.text}' | sudo tee -a {LIMITS_FILE}"
        return self.text


@dataclass(frozen=True)
class Found:
    """What a check function says. `ok` None: it can not be told or not be had here; `why` says."""

    value: str
    ok: bool | None
    why: str
    mend: tuple[Mend, ...] = ()
    wanted: str | None = None  # when it depends on the machine


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    group: str
    value: str | None
    wanted: str
    ok: bool | None
    why: str
    mend: tuple[Mend, ...] = field(default=())

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "group": self.group,
            "value": self.value,
            "wanted": self.wanted,
            "ok": self.ok,
            "why": self.why,
            "mend": [mend.command() for mend in self.mend],
        }


CheckFunction = Callable[[Machine], Check]


def made(name: str, group: str, wanted: str, found: Found) -> Check:
    """What was found, under its name. What is as wanted needs no mending."""
    mend = found.mend if found.ok is False else ()
    return Check(name, group, found.value, found.wanted or wanted, found.ok, found.why, mend)


def unread(name: str, group: str, wanted: str, error: Exception) -> Check:
    """A check whose question the system does not answer."""
    reason = describe(error) if isinstance(error, OSError) else str(error)
    return Check(name, group, None, wanted, None, f"can not be told: {reason}")


def check(group: str, wanted: str) -> Callable[[Callable[[Machine], Found]], CheckFunction]:
    """Make a check of a function; its name is the check's, with spaces."""

    def decorate(function: Callable[[Machine], Found]) -> CheckFunction:
        name = function.__name__.replace("_", " ")

        @functools.wraps(function)
        def run(machine: Machine) -> Check:
            try:
                return made(name, group, wanted, function(machine))
            except (OSError, ValueError) as error:
                return unread(name, group, wanted, error)

        return run

    return decorate
