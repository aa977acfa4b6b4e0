"""What people and scripts see: plain aligned tables, JSON, and exit codes that mean something.

Results go to standard output, and nothing else does; errors go to standard error and say what to
do. No colours and no control characters unless a terminal reads them.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click

from touchline.errors import ConfigError, JournalCorrupt, TouchlineError, describe

OK = 0
NO = 1  # the answer is no: refused, a check failed, nothing there
USAGE = 2  # the command line or the configuration is wrong
NOT_RUNNING = 3
UNANSWERED = 4
WORLD = 5  # disk, port, journal, another venue
DEGRADED = 6  # status: the venue trades, and something is not as it should be
STARTING = 7  # status: the venue is not open yet

EXTRAS = {
    "quickfix": "fix",
    "zmq": "publish",
    "pyarrow": "analytics",
    "duckdb": "analytics",
    "pytz": "analytics",
    "structlog": "log",
    "exchange_calendars": "calendars",
}  # modules of pyproject.toml's extras

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def emit(as_json: bool, facts: Any, text: str) -> None:
    """Print a result: the facts for a script, or the text for a person."""
    click.echo(json.dumps(facts, default=_plain, ensure_ascii=False) if as_json else text)


def _plain(value: object) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An aligned table: numbers to the right, text to the left, a line under the header."""
    cells = [[_cell(value) for value in row] for row in rows]
    numbers = [
        bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(columns))
    ]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]

    def line(values: Sequence[str]) -> str:
        padded = (
            value.rjust(width) if number else value.ljust(width)
            for value, width, number in zip(values, widths, numbers, strict=True)
        )
        return "  ".join(padded).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([line(list(columns)), rule, *(line(row) for row in cells)])


def pairs(facts: Mapping[str, object]) -> str:
    """Names and values, one a line, the values aligned."""
    width = max((len(name) for name in facts), default=0)
    return "\n".join(
        f"{name.ljust(width)}  {_cell(value)}".rstrip() for name, value in facts.items()
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value).replace("\n", " ")


def _is_number(text: str) -> bool:
    return not text.strip("0123456789.,-+%")


def fail(message: str, code: int) -> None:
    """End the program with a message on standard error."""
    for line in message.splitlines() or ["failed"]:
        click.echo(f"touchline: {line}", err=True)
    raise click.exceptions.Exit(code)


def require(*modules: str) -> None:
    """Refuse before anything starts when a part that would run as a process is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def missing_extra(error: ModuleNotFoundError) -> str:
    """What to install for a module that is not there; the error itself when it is ours."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        raise error
    return (
        f"this needs {module}, of the extra {EXTRAS[module]!r}, which is not installed: "
        'pip install "touchline[venue]"'
    )


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what the world and people get wrong into a message and an exit code, no traceback."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ConfigError as error:
            fail(str(error), USAGE)
        except JournalCorrupt as error:
            fail(f"{error}; what stands before it can be replayed from a copy", WORLD)
        except BrokenPipeError:
            raise click.exceptions.Exit(OK) from None
        except ModuleNotFoundError as error:
            fail(missing_extra(error), USAGE)
        except OSError as error:
            fail(describe(error), WORLD)
        except TouchlineError as error:
            fail(str(error), getattr(error, "exit_code", NO))
        return None

    return wrapper
