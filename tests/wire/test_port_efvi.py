"""The port over ef_vi compiles against the library's declarations; no card is here to run it on."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")


@pytest.mark.parametrize("flags", [(), ("-DTOUCHLINE_EFVI", "-Itests/harness/efvi")])
def test_it_compiles_with_the_declarations_and_is_nothing_without(flags: tuple[str, ...]) -> None:
    command = ["cc", "-std=gnu11", "-S", "-o", "-", "-Iext", *WARNINGS, *flags]
    done = subprocess.run(
        [*command, "ext/touchline/wire/port_efvi.c"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("tl_port_efvi_open" in done.stdout) == bool(flags)
