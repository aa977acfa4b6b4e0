"""The commands about the machine: `doctor` looks and measures, `tune` prints what would mend."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from touchline.control.operate.private import exposed
from touchline.control.operate.terminal import NO, emit, guarded, json_option
from touchline.errors import ConfigError


def _cpus(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...]:
    from touchline.control.doctor.machine import cpu_list

    try:
        return cpu_list(value or "")
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of CPUs such as 2-3,6") from None


def _interface(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    names = [name for _, name in socket.if_nameindex()]
    if value is None or value in names:
        return value
    raise click.BadParameter(f"{value!r} is not an interface; here are {', '.join(names)}")


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What both commands look at."""
    for option in (
        click.option(
            "--ask-zero-copy",
            is_flag=True,
            help="Ask for zero-copy XDP also where the driver may stop the queue for a moment.",
        ),
        click.option(
            "--interface",
            callback=_interface,
            metavar="NAME",
            help="Look at this network interface alone, and try to bind AF_XDP to its last queue.",
        ),
        click.option(
            "--cpus",
            callback=_cpus,
            metavar="LIST",
            help="The CPUs meant for the venue, such as 2-3; else the isolated ones, else half.",
        ),
    ):
        function = option(function)
    return json_option(function)


@click.command()
@click.option("--measure", is_flag=True, help="Take figures too; about five seconds.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where fdatasync is measured; else the configuration's data directory, else here.",
)
@_options
@click.pass_obj
@guarded
def doctor(
    options: Any,
    as_json: bool,
    cpus: tuple[int, ...],
    interface: str | None,
    ask_zero_copy: bool,
    measure: bool,
    data_dir: Path | None,
) -> None:
    """Check this machine for low latency: what is here against what is wanted; changes nothing.

    Exit code 1 when something is not as wanted. What can not be told or not be had here (`?`) does
    not count. Root sees a little more.
    """
    from touchline.control.doctor import report as reports
    from touchline.control.doctor.machine import Machine

    machine = Machine(chosen=cpus)
    report = reports.examine(machine, interface=interface, ask_zero_copy=ask_zero_copy)
    if measure:
        report = reports.measure(machine, report, data_dir or _data_dir(options))
    loose, clock = _exposed(options), _stepped(options)
    emit(as_json, report.facts() | {"exposed": loose, "stepped": clock}, report.text())
    for line in [*loose, *clock]:
        click.echo(f"touchline: {line}", err=True)
    if loose or clock or not report.ok:
        raise click.exceptions.Exit(NO)


@click.command()
@_options
@guarded
def tune(as_json: bool, cpus: tuple[int, ...], interface: str | None, ask_zero_copy: bool) -> None:
    """Print the commands that would mend what `doctor` finds, with reasons; runs none of them."""
    from touchline.control.doctor import report as reports
    from touchline.control.doctor import tune as tuning
    from touchline.control.doctor.machine import Machine

    machine = Machine(chosen=cpus)
    report = reports.examine(machine, interface=interface, ask_zero_copy=ask_zero_copy)
    emit(as_json, tuning.facts(report), tuning.script(report))


def _stepped(options: Any) -> list[str]:
    """What the running venue's engine says of the host's clock; nothing where none runs."""
    from touchline.control.operate.stepped import stepped
    from touchline.control.supervisor.admin import NotRunning, attach

    if not options.path.exists():
        return []
    try:
        with attach(options.load()) as bus:
            return stepped(bus.status())
    except (ConfigError, NotRunning, OSError):
        return []


def _exposed(options: Any) -> list[str]:
    """What of this venue others may read; nothing where there is no configuration yet."""
    if not options.path.exists():
        return []
    try:
        return exposed(options.path, options.load())
    except ConfigError:  # whoever looks at the machine needs no configuration
        return []


def _data_dir(options: Any) -> Path:
    """The venue's disk: the nearest folder of its data directory that is there already."""
    if not options.path.exists():
        return Path.cwd()
    folder: Path = options.load().data_dir
    while not folder.is_dir():
        folder = folder.parent
    return folder


def add_to(group: click.Group) -> None:
    """Put the commands into the group."""
    group.add_command(doctor)
    group.add_command(tune)
