"""deploy/machine.sh names what a machine lacks, with the command that installs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import sources

SCRIPT = sources.ROOT / "deploy/machine.sh"
OLD_PYTHON = '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n'
# Recent enough, but neither module nor header can be found.
PLAIN_PYTHON = """#!/bin/sh
case "$2" in
*version_info\\ \\<*) exit 0 ;;
*%d.%d*) echo 3.12 ;;
*) exit 1 ;;
esac
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH of one folder, with Python and what a shell script needs, but no compiler."""
    for tool in ("sh", "id", "uname"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return tmp_path


def check(path: Path, *tools: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [path / "sh", SCRIPT, *tools],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def provide(path: Path, *tools: str) -> None:
    for tool in tools:
        (path / tool).write_text("#!/bin/sh\n")
        (path / tool).chmod(0o755)


def test_a_machine_that_has_everything_is_told_which_python_is_used(bare: Path) -> None:
    provide(bare, "gcc", "g++", "valgrind")
    done = check(bare, "valgrind")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{bare / 'python3'}\n", "")


def test_missing_compilers_and_tools_are_named_with_the_command(bare: Path) -> None:
    done = check(bare, "valgrind")
    assert (done.returncode, done.stdout) == (1, "")
    assert "This machine lacks: gcc g++ valgrind" in done.stderr
    assert "apt-get update && " in done.stderr
    assert "apt-get install -y gcc g++ valgrind\n" in done.stderr


def test_an_old_python_is_not_taken(bare: Path) -> None:
    provide(bare, "gcc", "g++")
    (bare / "python3").write_text(OLD_PYTHON)
    done = check(bare)
    assert done.returncode == 1
    assert "touchline needs Python 3.11 or later; found: Python 3.9.2" in done.stderr
    assert "apt-get install -y python3 python3-venv python3-dev\n" in done.stderr


def test_a_python_without_venv_or_headers_is_told_what_to_add(bare: Path) -> None:
    provide(bare, "gcc", "g++")
    (bare / "python3").write_text(PLAIN_PYTHON)
    done = check(bare)
    assert done.returncode == 1
    assert "This machine lacks: python3-venv python3-dev. Install with\n" in done.stderr
