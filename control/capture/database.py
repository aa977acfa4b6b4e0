"""The DuckDB database over the captured files: built whole, never held open, asked read-only.

DuckDB locks a file that is open for writing, so nobody writes touchline.duckdb: a build makes
another file and renames it into place, and whoever reads the old one goes on reading it. The views
read the Parquet files that are there when they are asked, so the database is built anew only when
an instrument is listed or the directory has moved.
"""

from __future__ import annotations

import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from touchline.config import Config
from touchline.control.capture.table import scales
from touchline.errors import TouchlineError
from touchline.instruments import EXACT

_TEMPORARY = ".touchline-database-"
_FILES = "date=*/events-*.parquet"


def build(database: Path, events_dir: Path) -> None:
    """Write the database anew over the files in `events_dir`, which holds at least one.

    Raises OSError naming the database when the disk fails.
    """
    newest = max(events_dir.glob(_FILES), key=lambda path: path.name)
    with _temporary(database) as temporary:
        try:
            connection = duckdb.connect(str(temporary))
            try:
                _create(connection, scales(pq.read_schema(newest)), _glob(events_dir))
                # Closing would write the file too, but say nothing when the disk is full.
                connection.execute("CHECKPOINT")
            finally:
                connection.close()
        except duckdb.Error as error:
            raise OSError(f"{database}: cannot write: {error}") from error
        temporary.rename(database)


def remove_leftovers(database: Path) -> None:
    """Remove what a build that was killed left beside the database."""
    for directory in database.parent.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(directory, ignore_errors=True)


def _glob(events_dir: Path) -> str:
    """The captured files as DuckDB finds them, wherever it runs."""
    return f"{glob.escape(str(events_dir.absolute()))}/{_FILES}"


def _create(connection: Any, sizes: dict[str, dict[str, Any]], pattern: str) -> None:
    connection.execute("CREATE TABLE captured (path VARCHAR)")
    connection.execute("INSERT INTO captured VALUES (?)", [pattern])
    connection.execute(
        "CREATE TABLE instruments (symbol VARCHAR, instrument INTEGER, currency VARCHAR, "
        "tick_size DOUBLE, lot_size DOUBLE, price_decimals INTEGER, qty_decimals INTEGER)"
    )
    for symbol, size in sizes.items():
        tick, lot = Decimal(size["tick_size"]), Decimal(size["lot_size"])
        connection.execute(
            "INSERT INTO instruments VALUES (?, ?, ?, ?, ?, ?, ?)",
            [symbol, size["instrument"], size["currency"], float(tick), float(lot),
             _decimals(tick), _decimals(lot)],
        )  # fmt: skip
    views = (resources("touchline.control.capture") / "views.sql").read_text(encoding="utf-8")
    connection.execute(views.replace("{events}", "'" + pattern.replace("'", "''") + "'"))


def _decimals(size: Decimal) -> int:
    """How many decimals a number of such units has."""
    exponent = EXACT.normalize(size).as_tuple().exponent
    return max(0, -int(exponent))


@contextmanager
def _temporary(database: Path) -> Iterator[Path]:
    """A place for the new file beside the old one, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=database.parent) as directory:
        yield Path(directory) / database.name


def query(config: Config, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one SELECT on the captured events.

    Nothing can be changed by it. Raises TouchlineError when nothing has been captured yet, when
    `sql` is not one statement that only reads, and with DuckDB's message when it fails.
    """
    database, events_dir = config.database_path, config.capture_dir / "events"
    if not any(events_dir.glob(_FILES)):
        raise TouchlineError(
            f"nothing has been captured yet in {events_dir}; "
            "start the venue with `touchline run` and trade first"
        )
    try:
        _refuse_writing(sql)
        with _open(database, events_dir) as connection:
            found = connection.execute(sql)
            columns = [column[0] for column in found.description or []]
            return columns, found.fetchall()
    except duckdb.Error as error:
        raise TouchlineError(str(error)) from error


def _refuse_writing(sql: str) -> None:
    kinds = [statement.type for statement in duckdb.extract_statements(sql)]
    reading = duckdb.StatementType.SELECT
    if kinds != [reading]:
        raise TouchlineError(
            "a query is one statement that only reads, such as SELECT, FROM, DESCRIBE or SUMMARIZE"
        )


@contextmanager
def _open(database: Path, events_dir: Path) -> Iterator[Any]:
    """The database, read-only; built first when it is missing or speaks of another place."""
    if not is_current(database, events_dir):
        build(database, events_dir)
    connection = duckdb.connect(str(database), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def is_current(database: Path, events_dir: Path) -> bool:
    """Is there a database, and of these files? A file that is no database is none."""
    if not database.exists():
        return False
    try:
        connection = duckdb.connect(str(database), read_only=True)
        try:
            rows = connection.execute("SELECT path FROM captured").fetchall()
        finally:
            connection.close()
    except duckdb.Error:
        return False
    return bool(rows == [(_glob(events_dir),)])
