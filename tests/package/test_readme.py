"""The README runs as written: the library example, the commands it names and the make targets."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from harness import sources

README = (sources.ROOT / "README.md").read_text()
MAKEFILE = (sources.ROOT / "Makefile").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_library_example_prints_what_the_readme_says(tmp_path: Path) -> None:
    (example,) = blocks("python")
    printed = README.split(example, 1)[1].split("```", 3)[2].lstrip("\n")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout) == ("", printed)


def test_the_library_example_has_ten_statements() -> None:
    (example,) = blocks("python")
    lines = [
        line for line in example.splitlines() if line and not line.startswith(("import", "from"))
    ]
    assert len(lines) <= 10


def test_every_make_target_named_in_the_readme_exists() -> None:
    named = set(re.findall(r"^make ([\w-]+)$|`make ([\w-]+)`", README, re.MULTILINE))
    targets = {target for pair in named for target in pair if target}
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"no target {target}"


def test_every_touchline_command_named_in_the_readme_exists() -> None:
    import touchline.control.operate.cli as cli

    commands = [
        shlex.split(line, comments=True)
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith("touchline")
    ]
    assert len(commands) >= 5
    for _, command, *_arguments in commands:
        assert command in cli.main.commands, f"touchline {command} does not exist"
