"""What the commands of `touchline feed` read: a file, or the lines of a feed that is on now."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from touchline.data import Reader
from touchline.data.any_feed import FORMS, open_feed
from touchline.data.live import LiveReader, listen_itch

Command = Callable[..., Any]
Option = Callable[[Any], Any]

FILE = click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
_PERHAPS = click.argument("path", required=False, type=click.Path(path_type=Path, dir_okay=False))
_FORM = click.option("--form", type=click.Choice(FORMS), help="What the file is; else it is seen.")
_DAY = click.option("--day", metavar="YYYY-MM-DD", help="Of times since midnight in New York.")
_LINES = {
    "lines": click.option(
        "--line",
        "lines",
        multiple=True,
        metavar="ADDRESS",
        help="A line of a feed, 233.54.12.1:26400; twice for two.",
    ),
    "requests": click.option(
        "--requests", metavar="ADDRESS", help="Where what was lost is asked for."
    ),
    "session": click.option("--session", help="Its name; else the first packet's."),
    "start": click.option(
        "--from", "start", type=click.IntRange(1), help="The first message wanted."
    ),
    "interface": click.option("--interface", help="On which the lines are."),
    "quiet": click.option(
        "--quiet", type=click.FloatRange(0.05), help="End after so many silent seconds."
    ),
}


@dataclass(frozen=True)
class Source:
    """A file's path, or lines; `name` is what messages call it."""

    path: Path | None = None
    form: str | None = None
    day: str | None = None
    lines: tuple[str, ...] = ()
    requests: str | None = None
    session: str | None = None
    start: int | None = None
    interface: str | None = None
    quiet: float | None = None

    @property
    def name(self) -> str:
        return " ".join(self.lines) if self.path is None else str(self.path)

    def open(self, *, skip: bool = False) -> Reader:
        """Its reader. Raises click.UsageError where it is both or neither."""
        if (self.path is None) == (not self.lines):
            raise click.UsageError("give a file, or --line for a feed that is on now")
        if self.path is not None:
            return open_feed(self.path, self.form, day=self.day, skip=skip)
        return self.listen(skip=skip)

    def listen(self, *, skip: bool = False, start: int | None = None) -> LiveReader:
        """The lines alone; `start` in place of its own."""
        try:
            return listen_itch(
                *self.lines,
                requests=self.requests,
                session=self.session,
                start=start or self.start,
                day=self.day,
                interface=self.interface,
                quiet_s=self.quiet,
                skip=skip,
            )
        except ValueError as error:
            raise click.UsageError(str(error)) from error


def source(command: Command) -> Command:
    """Give a command its `source`, of its arguments and options."""
    return _given(command, {"path": _PERHAPS, "form": _FORM, "day": _DAY, **_LINES})


def live(command: Command) -> Command:
    """The same of lines alone: the command has a path of its own."""
    return _given(command, _LINES)


def _given(command: Command, options: Mapping[str, Option]) -> Command:
    @functools.wraps(command)
    def wrapper(*arguments: Any, **values: Any) -> Any:
        own = {name: values.pop(name) for name in options}
        return command(*arguments, source=Source(**own), **values)

    wrapped: Command = wrapper
    for option in reversed(list(options.values())):
        wrapped = option(wrapped)
    return wrapped
