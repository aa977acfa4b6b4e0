"""The project's own files as data, for the tests that look at the code instead of running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "benchmarks", "control", "deploy", "docs", "ext", "fix", "src", "tests")
SUFFIXES = {".c", ".cmake", ".cpp", ".h", ".in", ".md", ".pxd", ".py", ".pyi", ".pyx", ".sh"}
SUFFIXES |= {".sql", ".toml", ".txt"}
GENERATED = {"__pycache__", "build", "dist"}


def files(*suffixes: str) -> list[Path]:
    """Every file of the project with one of the suffixes (or any known), links not followed."""
    wanted = set(suffixes) or SUFFIXES
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(
        path
        for path in found
        if (path.suffix in wanted or (not suffixes and path.name in ("Makefile", "run")))
        and not GENERATED.intersection(path.relative_to(ROOT).parts)
        and not path.relative_to(ROOT).parts[0].startswith(".venv")
    )


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module(path: Path, root: Path) -> str:
    """The dotted name of the module that a file below `root` makes."""
    return ".".join(path.relative_to(root).with_suffix("").parts)


def top(path: Path) -> str:
    """The top-level folder the file is in."""
    return path.relative_to(ROOT).parts[0]


def includes(path: Path) -> list[tuple[str, bool]]:
    """What a C or Cython file includes: (file name, whether it is one of ours)."""
    text = path.read_text()
    found = re.findall(r'^\s*#\s*include\s*(["<])([^">]+)[">]', text, re.MULTILINE)
    return [(file, quote == '"') for quote, file in found]


def imports(path: Path) -> set[str]:
    """Every module a Python file imports, dotted, wherever in the file it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno} imports relatively"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def python_functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """(name, first line, number of lines) of every function, decorators not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def c_functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """(name, first line, number of lines) of every function with its braces in column 0."""
    signature, first, opened = "", 0, ("", 0)
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.startswith("{"):
            called = re.findall(r"(\w+)\(", signature)
            opened = (called[0] if called else "?", first)
        elif line.rstrip() == "}" and opened[1]:
            yield opened[0], opened[1], number - opened[1] + 1
            opened = ("", 0)
        elif line and not line[0].isspace() and line[0] not in "#/*}":
            signature, first = line, number
        elif signature and line[:1].isspace() and not signature.rstrip().endswith((";", "{")):
            signature += line


def cython_functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """(name, first line, number of lines) of every def and cdef with a body, by indentation."""
    lines = path.read_text().splitlines()
    for first, line in enumerate(lines):
        start = re.match(r"( *)(?:cdef|cpdef|def) (?!class ).*?(\w+)\(", line)
        if not start or line.rstrip().endswith(("class", ";")):
            continue
        last = first
        for number in range(first + 1, len(lines)):
            text = lines[number]
            indent = len(text) - len(text.lstrip())
            if text.strip() and indent <= len(start[1]) and not text.lstrip().startswith(")"):
                break
            if text.strip():
                last = number
        yield start[2], first + 1, last - first + 1
