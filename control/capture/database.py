"""touchline.duckdb: the views over the captured files for any DuckDB, built whole, never held open.

A convenience for whoever opens the file with a program of their own; touchline's own questions go
through touchline.data.history and never touch it. DuckDB locks a file that is open for writing, so
nobody writes this one: a build makes another and renames it into place, and whoever reads the old
one goes on reading it. The views read the files that are there when they are asked, so it is built
anew only when something is listed or the directory has moved.
"""

from __future__ import annotations

import glob
import logging
import shutil
import tempfile
from pathlib import Path

import duckdb

from touchline.data.captured import FILES
from touchline.data.history_views import create_views, sizes_in

_TEMPORARY = ".touchline-database-"
_MODE = 0o440  # so that nobody opens it for writing by mistake

log = logging.getLogger(__name__)


def build(database: Path, events: Path, newest: Path) -> None:
    """Write the database anew over the files in `events`, of which `newest` knows the instruments.

    Raises OSError naming the database when the disk fails.
    """
    pattern = _pattern(events)
    if pattern is None:
        facts = {"path": str(events), "why": "DuckDB has no way to name a backslash"}
        log.warning("touchline.duckdb is not made; `touchline query` works", extra={"facts": facts})
        return
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=database.parent) as directory:
        temporary = Path(directory) / database.name
        try:
            with duckdb.connect(str(temporary)) as connection:
                connection.execute("CREATE TABLE captured (path VARCHAR)")
                connection.execute("INSERT INTO captured VALUES (?)", [pattern])
                create_views(connection, [pattern], sizes_in(connection, glob.escape(str(newest))))
                # Closing would write the file too, but say nothing when the disk is full.
                connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise OSError(f"{database}: cannot write: {error}") from error
        temporary.chmod(_MODE)
        temporary.rename(database)
        # Left by somebody who opened the old one for writing, it would keep the new one shut.
        database.with_name(f"{database.name}.wal").unlink(missing_ok=True)


def remove_leftovers(database: Path) -> None:
    """Remove what a build that was killed left beside the database."""
    for directory in database.parent.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(directory, ignore_errors=True)


def _pattern(events: Path) -> str | None:
    """The captured files as DuckDB finds them, wherever it runs; None where it cannot."""
    path = str(events.absolute())
    return None if "\\" in path else f"{glob.escape(path)}/{FILES}"


def is_current(database: Path, events: Path) -> bool:
    """Is there a database, and of these files? A file that is no database is none."""
    if not database.exists():
        return False
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            rows = connection.execute("SELECT path FROM captured").fetchall()
    except duckdb.Error:
        return False
    return bool(rows == [(_pattern(events),)])
