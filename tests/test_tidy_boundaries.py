"""The walls between the parts: who may include and import what.

docs/development.md has these tables in words. A test collects every trespass before it fails.
"""

from __future__ import annotations

import re
from pathlib import Path

import sources

# What each part of the C core may include of the others; messages.h everybody may.
C_PARTS = {
    "messages": set[str](),
    "clock": set[str](),
    "port": set[str](),
    "ring": set[str](),
    "journal": set[str](),
    "book": set[str](),
    "risk": set[str](),
    "match": {"book"},
    "auction": {"book"},
    "engine": {"book", "match", "auction", "risk"},
    "runner": {"engine", "ring", "journal", "port", "clock"},
    "measure": {"ring"},
}
# Files whose stem does not begin with their part's name: inside the engine.
C_PART_OF = dict.fromkeys(("ahead", "stage", "state", "step", "amend", "administer"), "engine")
# What a shell hands out of another part's module: values, not behaviour.
SHELL_VALUES = {"journal": {"engine"}}  # EngineLimits

# The pure step needs nothing of the world. Memory is state.c's business, at open and close alone.
PURE_PARTS = {"messages", "book", "match", "auction", "risk", "engine"}
PURE_HEADERS = {"assert.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}
STATE_HEADERS = PURE_HEADERS | {"errno.h", "stdlib.h", "sys/mman.h"}
ALLOCATION = re.compile(r"\b(?:malloc|calloc|realloc|free|mmap|munmap|alloca)\(")

# What the Python folders must not import.
FORBIDDEN = {
    "src": ("touchline.control", "touchline.fix", "quickfix", "duckdb", "pyarrow"),
    "fix": ("touchline.control", "zmq", "duckdb", "pyarrow"),
    "control": (),
}
# The modules below use time, chance or the environment; everybody else is given them as arguments.
WORLD = {
    "os.environ": {"src/touchline/config.py"},
    "random": {"control/demo_flow.py"},
    "secrets": {"control/demo.py", "control/demo_venue.py"},
    "time": {
        f"control/{file}.py"
        for file in (
            "admin",
            "demo",
            "demo_client",
            "demo_venue",
            "doctor/measure",
            "host",
            "monitor",
            "verify",
        )
    },
    "now": {"control/demo_client.py", "control/host.py"},
}

C_FILES = [path for path in sources.files(".c", ".h") if path.parent.name == "touchline"]
SHELLS = [path for path in sources.files(".pyx", ".pxd") if path.parent.name == "touchline"]
PYTHON_FILES = [path for path in sources.files(".py") if sources.top(path) in FORBIDDEN]


def part_of(stem: str) -> str:
    return C_PART_OF.get(stem, stem.split("_")[0])


def test_every_c_file_belongs_to_a_part_that_has_a_row() -> None:
    assert {part_of(path.stem) for path in C_FILES} <= C_PARTS.keys()


def test_a_c_file_includes_only_what_its_part_may() -> None:
    trespasses = []
    for path in C_FILES:
        part = part_of(path.stem)
        allowed = C_PARTS[part] | {part, "messages"}
        trespasses += [
            f"{sources.name(path)} includes {file}"
            for file, ours in sources.includes(path)
            if ours and part_of(Path(file).stem) not in allowed
        ]
    assert not trespasses


def test_no_c_file_knows_python() -> None:
    everything = sources.files(".c", ".h")
    assert len(everything) > 20
    knowing = [path for path in everything if ("Python.h", False) in sources.includes(path)]
    knowing += [path for path in everything if ("Python.h", True) in sources.includes(path)]
    assert not knowing


def test_the_pure_step_uses_nothing_of_the_world() -> None:
    trespasses = []
    for path in C_FILES:
        if part_of(path.stem) not in PURE_PARTS:
            continue
        allowed = STATE_HEADERS if path.name == "state.c" else PURE_HEADERS
        headers = {file for file, ours in sources.includes(path) if not ours}
        trespasses += [f"{sources.name(path)} includes <{file}>" for file in headers - allowed]
        if path.name != "state.c" and ALLOCATION.search(path.read_text()):
            trespasses.append(f"{sources.name(path)} allocates or frees")
    assert not trespasses


def test_the_engine_allocates_at_open_and_frees_at_close_alone() -> None:
    path = sources.ROOT / "ext/touchline/state.c"
    lines = path.read_text().splitlines()
    users = {
        function
        for function, first, count in sources.c_functions(path)
        if ALLOCATION.search("\n".join(lines[first - 1 : first - 1 + count]))
    }
    assert users == {"tl_engine_open", "tl_engine_close"}


def test_only_the_runner_reads_the_clock() -> None:
    readers = {path.name for path in C_FILES if ("clock.h", True) in sources.includes(path)}
    assert readers == {"runner.c"}


def test_a_cython_file_declares_its_own_header_alone() -> None:
    """The declarations of others it cimports from their .pxd, as far as its part may know them."""
    trespasses = []
    for path in SHELLS:
        text = path.read_text()
        part = part_of(path.stem)
        declared = re.findall(r'cdef extern from "([^"]+)"', text)
        imported = re.findall(r"^\s*from touchline\.(\w+) c?import", text, re.MULTILINE)
        known = C_PARTS[part] | SHELL_VALUES.get(part, set()) | {part, "messages", "errors"}
        trespasses += [
            f"{sources.name(path)} declares {header}"
            for header in declared
            if Path(header).stem != path.stem
        ]
        trespasses += [
            f"{sources.name(path)} imports touchline.{stem}"
            for stem in imported
            if part_of(stem) not in known
        ]
    assert not trespasses


def test_a_python_file_imports_only_what_its_folder_may() -> None:
    trespasses = [
        f"{sources.name(path)} imports {module}"
        for path in PYTHON_FILES
        for module in sources.imports(path)
        for forbidden in FORBIDDEN[sources.top(path)]
        if module == forbidden or module.startswith(f"{forbidden}.")
    ]
    assert not trespasses


def world_used(path: Path) -> set[str]:
    imported = sources.imports(path)
    used: set[str] = {module for module in ("random", "secrets", "time") if module in imported}
    text = path.read_text()
    if re.search(r"\bos\.(?:environ|getenv)\b|from os import .*environ", text):
        used.add("os.environ")
    if re.search(r"\b(?:datetime\.(?:now|utcnow|today)|date\.today)\(", text):
        used.add("now")
    return used


def test_clock_chance_and_environment_come_in_by_few_doors() -> None:
    users = {(thing, sources.name(path)) for path in PYTHON_FILES for thing in world_used(path)}
    allowed = {(thing, file) for thing, files in WORLD.items() for file in files}
    assert users == allowed
