"""The commands that would mend what a report found, as a shell script to read and then run.

Lines that belong into one place are gathered: kernel parameters into one line for the boot loader,
sysctl and limits into a file each, so that they hold after a reboot. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Iterable

from touchline.control.doctor.check import LIMITS_FILE, Check, boot_command
from touchline.control.doctor.report import Findings, headline, wrapped

SYSCTL_FILE = "/etc/sysctl.d/90-touchline.conf"
LIMITS_NOTE = ("# For logins from now on; a service of systemd has settings of its own.",)
BOOT_NOTE = (
    "# GRUB, as Debian and Ubuntu have it; elsewhere append the same parameters to the kernel's",
    "# command line (grubby --update-kernel=ALL --args=…). Then reboot.",
)


def lines_for(checks: Iterable[Check], place: str) -> list[str]:
    """What the checks want in one place, each once."""
    return list(dict.fromkeys(m.text for c in checks for m in c.mend if m.place == place))


def reasons(checks: Iterable[Check], told: set[str]) -> list[str]:
    """Comments: what is here, what is wanted, why. What was told before is only named again."""
    lines, again = [], []
    for check in checks:
        if check.name in told:
            again.append(check.name)
            continue
        told.add(check.name)
        lines += wrapped(f"{check.name}: {check.value}; wanted: {check.wanted}.", "# ")
        lines += wrapped(check.why, "#   ")
    return [*lines, f"# And again, to last: {', '.join(again)}."] if again else lines


def here_document(path: str, lines: list[str]) -> list[str]:
    return [f"sudo tee {path} <<'END'", *lines, "END"]


def those_with(checks: Iterable[Check], place: str) -> list[Check]:
    return [check for check in checks if any(mend.place == place for mend in check.mend)]


def sections(wrong: list[Check]) -> list[list[str]]:
    """The parts of the script that have anything to do."""
    told: set[str] = set()
    found = [
        [*reasons([check], told), *lines_for([check], "shell")]
        for check in those_with(wrong, "shell")
    ]
    if sysctl := lines_for(wrong, "sysctl"):
        comments = reasons(those_with(wrong, "sysctl"), told)
        load = f"sudo sysctl -p {SYSCTL_FILE}"
        found.append([*comments, *here_document(SYSCTL_FILE, sysctl), load])
    if limits := lines_for(wrong, "limits"):
        comments = reasons(those_with(wrong, "limits"), told)
        found.append([*comments, *LIMITS_NOTE, *here_document(LIMITS_FILE, limits)])
    if boot := lines_for(wrong, "boot"):
        comments = reasons(those_with(wrong, "boot"), told)
        found.append([*comments, *BOOT_NOTE, boot_command(" ".join(boot))])
    return found


def script(report: Findings) -> str:
    """The whole of it."""
    wrong = [check for check in report.checks if check.ok is False]
    helpless = [check for check in wrong if not check.mend]
    lines = ["#!/bin/bash"]
    lines += wrapped(f"{headline(report.machine)}.", "# ")
    lines.append(
        "# Read before you run: nothing of this has been done. What `echo` and `tee` write"
    )
    lines.append("# below /sys and /proc, and `ethtool` sets, lasts until the next boot.")
    parts = sections(wrong)
    for part in parts:
        lines += ["", *part]
    if helpless:
        lines += ["", "# No command mends these:", *reasons(helpless, set())]
    if not wrong:
        lines += ["", "# Nothing to mend."]
    return "\n".join(lines)


def facts(report: Findings) -> dict[str, object]:
    """For JSON: the commands of each check, and the script."""
    wrong = [check for check in report.checks if check.ok is False]
    return {
        "mend": {check.name: [mend.command() for mend in check.mend] for check in wrong},
        "script": script(report),
    }
