"""Every file: sizes, line widths, an opening comment, and words that stand for unfinished work."""

from __future__ import annotations

import re
from pathlib import Path

from harness import sources

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
LINE_COLUMNS_MAX = 100
# Scenarios with their drawings, lists of names and versions.
WIDE = {".txt"}
# Prose, scenarios and stubs are as long as what they tell.
GENERATED = {"ext/touchline/wire/fix_tables.c"}  # by fix/generate.py
LONG = {".md", ".txt", ".pyi"}
PRAGMA = re.compile(r"  # (?:noqa|type: ignore|fmt: skip).*$")
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]))

ALL = sources.files()
CODE = sources.files(".c", ".h", ".pyx", ".pxd", ".py")


def line_faults(path: Path, line: str) -> list[str]:
    faults = []
    if line != line.rstrip():
        faults.append("ends in white space")
    if "\t" in line and path.name != "Makefile":
        faults.append("has a tab")
    if UNFINISHED.search(line):
        faults.append("is unfinished work")
    text = PRAGMA.sub("", line)
    if path.suffix not in WIDE and len(text) > LINE_COLUMNS_MAX:
        faults.append(f"is {len(line)} columns wide")
    return faults


def test_lines_are_narrow_plain_and_finished() -> None:
    faults = []
    for path in ALL:
        text = path.read_text()
        if text and not text.endswith("\n"):
            faults.append(f"{sources.name(path)}: the last line has no end")
        for number, line in enumerate(text.splitlines(), start=1):
            faults += [
                f"{sources.name(path)}:{number} {fault}" for fault in line_faults(path, line)
            ]
    assert not faults


def test_a_file_is_short_enough_to_read() -> None:
    lengths = {
        sources.name(p): len(p.read_text().splitlines())
        for p in ALL
        if p.suffix not in LONG and sources.name(p) not in GENERATED
    }
    assert len(lengths) > 50
    assert {file: n for file, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_a_function_fits_a_screen() -> None:
    kinds = {".py": sources.python_functions}
    kinds |= dict.fromkeys((".pyx", ".pxd"), sources.cython_functions)
    kinds |= dict.fromkeys((".c", ".h"), sources.c_functions)
    found = [(path, *function) for path in CODE for function in kinds[path.suffix](path)]
    for suffix in kinds:
        assert any(path.suffix == suffix for path, *_ in found), f"no function seen in {suffix}"
    assert [
        f"{sources.name(path)}:{first} {name} has {lines} lines"
        for path, name, first, lines in found
        if lines > FUNCTION_LINES_MAX
    ] == []


def test_a_file_opens_by_saying_what_it_is_for() -> None:
    silent = []
    for path in CODE:
        opening = "/*" if path.suffix in (".c", ".h") else '"""'
        first = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
        if first and not first[0].startswith(opening):
            silent.append(sources.name(path))
    assert not silent
