"""The walls between the parts: who may include and import what.

docs/development.md has these tables in words. A test collects every trespass before it fails.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness import sources

# The rooms of ext/touchline, and which others each may include and cimport.
C_ROOMS = {
    "core": set[str](),
    "runtime": {"core"},
    "market": {"core"},
    "marketdata": {"core", "runtime"},
    "measure": {"core", "runtime"},
    "wire": {"core", "runtime", "marketdata"},
    "study": {"core", "wire"},
}
# Inside a room: what a part may include of its neighbours; messages, and in a shell the checks of
# arguments, everybody may.
C_PARTS = {
    "core": {
        "messages": set[str](),
        "checked": set[str](),
        "shelf": {"checked"},
        "orders": {"shelf"},
        "levels": {"shelf"},
        "book": {"shelf", "orders", "levels"},
        "positions": {"checked"},
        "risk": {"positions"},
        "engine": {"book", "positions", "risk"},
        "arguments": set[str](),
        "client": {"engine"},
        "answer": set[str](),
        "arrays": set[str](),
        "capacities": {"engine"},
        "addresses": {"engine"},
    },
    "runtime": {
        "owned": set[str](),
        "clock": set[str](),
        "bus": {"owned"},
        "doorbell": {"bus"},
        "lane": {"bus"},
        "event": {"bus"},
        "journal": {"owned"},
        "gate": set[str](),
        "stamp": set[str](),
        "auctions": set[str](),
        "runner": {"owned", "bus", "journal", "clock", "auctions", "gate", "stamp"},
    },
    "market": {
        "record": set[str](),
        "listing": {"record"},
        "report": {"listing", "record", "rows"},
        "entry": {"listing", "record", "report", "rows"},
    },
    "marketdata": {"archive": {"mirror"}, "mirror": {"archive"}, "outlet": {"mirror"}},
    "measure": {"measure": set[str]()},
    "study": {
        "market": set[str](),
        "ladder": {"huge"},
        "huge": set[str](),
        "books": {"market", "ladder", "huge"},
        "feed": {"market"},
        "table": set[str](),
    },
    "wire": {
        "fix_dialect": {"fix_tables"},
        "fix_tables": {"fix_dialect"},
        "fix_text": set[str](),
        "fix_format": {"fix_tables", "fix_text"},
        "fix_message": {"fix_dialect", "fix_tables", "fix_text", "fix_format"},
        "fix_frame": {"fix_message", "fix_text"},
        "fix_check": {"fix_message", "fix_tables", "fix_text", "fix_format"},
        "fix_store": set[str](),
        "fix_session": {"fix_message", "fix_store", "fix_text", "fix_dialect", "fix_route"},
        "fix_names": {"fix_text"},
        "fix_route": {"fix_message", "fix_text"},
        "fix_orders": {"fix_route"},
        "fix_trades": set[str](),
        "fix_terms": {"fix_message", "fix_names", "fix_text"},
        "fix_desk": {"fix_message", "fix_names", "fix_orders", "fix_route", "fix_text"}
        | {"fix_terms", "fix_trades"},
        "fix_market": {"fix_message", "fix_names", "fix_route", "fix_text", "fix_tables"},
        "fix_log": {"fix_text"},
        "port": set[str](),
        "tls": set[str](),
        "fields": set[str](),
        "stock": {"fix_names"},
        "itch": {"fields", "stock"},
        "soupbin": {"fields"},
        "moldudp64": {"fields", "port"},
        "pages": set[str](),
        "ouch": {"fields", "pages", "stock"},
        "bell": set[str](),
        "spool": set[str](),
        "glimpse": {"fields", "itch", "soupbin", "spool"},
        "wire_door": set[str](),
        "wire_events": {"wire_door"},
        "latency": set[str](),
        "wire_stamps": {"latency", "port"},
        "wire_peers": {"port", "soupbin", "spool", "wire_door", "wire_stamps"},
        "wire_feed": {"itch", "moldudp64", "port", "spool", "wire_door", "wire_events"},
        "wire_recovery": {"glimpse", "moldudp64", "wire_feed", "wire_peers"},
        "wire_orders": {"bell", "ouch", "port", "soupbin", "spool"}
        | {"wire_door", "wire_events", "wire_peers", "wire_stamps"},
        "wire_server": {"port", "wire_door", "wire_events", "wire_orders", "wire_feed"}
        | {"wire_recovery"},
        "fix_server": {"fix_desk", "fix_market", "fix_session", "fix_store", "fix_message"}
        | {"fix_text", "fix_dialect", "fix_log", "tls", "bell"},
    },
}
# Files whose stem does not begin with their part's name: inside the engine.
C_PART_OF = dict.fromkeys(
    (
        "ahead",
        "stage",
        "state",
        "snapshot",
        "hash",
        "query",
        "commands",
        "invariants",
        "list",
        "enter",
        "match",
        "masscancel",
        "special",
        "special_enter",
        "special_match",
        "special_amend",
        "selftrade",
        "phases",
        "auction",
        "allocation",
        "policy",
        "triggers",
        "trailing",
        "all",  # all_or_none.c
        "expiry",
        "linked",
        "amend",
        "administer",
    ),
    "engine",
)
# What a shell hands out of another part: the record it keeps answers in.
SHELL_PARTS = {"engine": {"answer", "arrays", "capacities"}, "fix_server": {"fix_facts"}}
# A shell that has a part of another's header, which that one needs first.
HEADER_OF = {"capacities": "engine"}
# A shell of several headers, because what they are for is one thing to Python.
ALSO_DECLARED = {
    "mirror": {"touchline/marketdata/archive.h"},
    "fix_server": {"touchline/wire/tls.h"},
    "wire_server": {
        f"touchline/wire/{name}.h"
        for name in ("port", "wire_door", "wire_events", "wire_orders", "wire_feed")
    }
    | {"touchline/wire/wire_recovery.h"},
}
# What a room includes of another: its public face alone.
C_FACES = {"core": {"messages", "engine"}, "runtime": {"bus"}}
SHELL_FACES = C_FACES | {"core": {"messages", "engine", "answer", "arguments", "capacities"}}
# Who includes more of another room: a mirror of the books is made of the core's own book.
FACES_OF = {
    "marketdata": {
        "core": {"messages", "book", "engine", "capacities", "arguments"},
        "runtime": {"bus"},
    },
    # The shell holds its bus and lane as what belongs to one process.
    # The books of market data are the mirror's, as the publisher's are.
    "wire": {
        "core": {"messages", "arguments"},
        "runtime": {"bus", "owned"},
        "marketdata": {"mirror"},
    },
    # Files of Nasdaq's are read by the decoder that the venue's own feed has.
    "study": {"core": {"messages", "arguments"}, "wire": {"itch", "fields"}},
}

# The pure step needs nothing of the world. Memory is state.c's business, at open and close alone.
PURE_HEADERS = {"assert.h", "errno.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}
STATE_HEADERS = PURE_HEADERS | {"stdlib.h", "sys/mman.h"}
ALLOCATION = re.compile(r"\b(?:malloc|calloc|realloc|free|mmap|munmap|alloca)\(")

# What the Python folders must not import.
FORBIDDEN = {
    "src": ("touchline.control", "touchline.fix", "quickfix", "duckdb", "pyarrow"),
    "fix": ("touchline.control", "zmq", "duckdb", "pyarrow"),
    "control": (),
}
# What only a call that wants it imports, by a name in a table; the package works without.
OPTIONAL = {
    f"src/touchline/data/{file}.py": {"pyarrow", "pandas", "polars"}
    for file in ("frames", "history")
} | {"src/touchline/data/market_frames.py": {"pandas"}}
# What one room may use all the same: the history is asked through DuckDB and Arrow.
ALLOWED = {"src/touchline/data": ("duckdb", "pyarrow")}
# The modules below use time, chance or the environment; everybody else is given them as arguments.
WORLD = {
    "os.environ": {"src/touchline/config/sections.py"},
    "random": {"control/demo/flow.py"},
    "secrets": {
        "control/demo/demo.py",
        "control/demo/venue.py",
        "control/operate/cli_operator.py",
        "control/schedule/part.py",
        "fix/policy.py",
    },
    "time": {
        f"control/{file}.py"
        for file in (
            "demo/client",
            "demo/demo",
            "demo/venue",
            "doctor/measure",
            "operate/apply",
            "operate/cli_schedule",
            "operate/fix_log",
            "operate/monitor",
            "operate/sessions",
            "operate/verify",
            "schedule/part",
            "supervisor/admin",
            "supervisor/host",
            "supervisor/ticker",
            "wire/server",
        )
    }
    | {"fix/client.py"},
    "now": {
        "control/demo/client.py",
        "control/operate/cli_schedule.py",
        "control/schedule/part.py",
        "control/supervisor/host.py",
    },
}
# The rooms of the package and of the control plane, and which others each may import.
PACKAGE_ROOMS = {
    "core": set[str](),
    "runtime": {"core"},
    "market": {"core"},
    "data": {"core", "runtime", "market", "study", "wire"},
    "config": {"core"},
    "marketdata": {"core", "runtime"},
    "measure": {"core", "runtime"},
    "wire": {"core", "runtime"},
    "study": {"core"},
}
CONTROL_ROOMS = {
    "supervisor": set[str](),
    "publish": {"supervisor"},
    "capture": {"supervisor"},
    "wire": set[str](),
    "doctor": set[str](),
    "operate": {"supervisor", "capture", "doctor", "demo", "schedule"},
    "schedule": {"supervisor"},
    "demo": {"supervisor", "capture", "operate"},
}

EXT = sources.ROOT / "ext/touchline"
C_FILES = [path for path in sources.files(".c", ".h") if path.is_relative_to(EXT)]
SHELLS = [path for path in sources.files(".pyx", ".pxd") if path.is_relative_to(EXT)]
PYTHON_FILES = [path for path in sources.files(".py") if sources.top(path) in FORBIDDEN]


def part_of(stem: str) -> str:
    """The first word of a file's name; of those of a server's parts the first two."""
    first = "_".join(stem.split("_")[: 2 if stem.startswith(("fix_", "wire_")) else 1])
    return C_PART_OF.get(first, first)


def room_of(path: Path) -> str:
    return path.parent.name


def may_use(path: Path, room: str, stem: str, faces: dict[str, set[str]]) -> bool:
    """May a file of the core use the part of this name in this room?"""
    own, part = room_of(path), part_of(path.stem)
    if room != own:
        seen = FACES_OF.get(own, faces)
        return room in C_ROOMS[own] and stem in seen.get(room, set())
    allowed = C_PARTS[own][part] | SHELL_PARTS.get(part, set()) | {part, "messages", "arguments"}
    return part_of(stem) in allowed


def test_every_c_file_belongs_to_a_part_that_has_a_row() -> None:
    rows = {(room, part) for room, parts in C_PARTS.items() for part in parts}
    assert {(room_of(path), part_of(path.stem)) for path in C_FILES + SHELLS} == rows


def test_a_c_file_includes_only_what_its_part_may() -> None:
    trespasses = []
    for path in C_FILES:
        for file, ours in sources.includes(path):
            if not ours:
                continue
            top, _, below = file.partition("/")
            room, _, name = below.partition("/")
            if top != "touchline" or not may_use(path, room, Path(name).stem, C_FACES):
                trespasses.append(f"{sources.name(path)} includes {file}")
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
        if room_of(path) != "core":
            continue
        allowed = STATE_HEADERS if path.name == "state.c" else PURE_HEADERS
        headers = {file for file, ours in sources.includes(path) if not ours}
        trespasses += [f"{sources.name(path)} includes <{file}>" for file in headers - allowed]
        if path.name != "state.c" and ALLOCATION.search(path.read_text()):
            trespasses.append(f"{sources.name(path)} allocates or frees")
    assert not trespasses


def test_no_step_of_the_engine_allocates_or_frees() -> None:
    path = sources.ROOT / "ext/touchline/core/state.c"
    lines = path.read_text().splitlines()
    users = {
        function
        for function, first, count in sources.c_functions(path)
        if ALLOCATION.search("\n".join(lines[first - 1 : first - 1 + count]))
    }
    # The region is mapped for an engine that is opened or grows; the last two unmap it.
    assert users == {"tl_engine_open", "region_map", "tl_engine_grow", "tl_engine_close"}


def test_only_the_runner_reads_the_clock() -> None:
    readers = {
        path.name
        for path in C_FILES
        if ("touchline/runtime/clock.h", True) in sources.includes(path)
    }
    assert readers == {"runner.c", "runner_open.c"}


def test_a_cython_file_declares_its_own_header_alone() -> None:
    """The declarations of others it cimports from their .pxd, as far as its part may know them."""
    trespasses = []
    for path in SHELLS:
        text = path.read_text()
        own = f"touchline/{room_of(path)}/{HEADER_OF.get(path.stem, path.stem)}.h"
        declared = re.findall(r'cdef extern from "([^"]+)"', text)
        imported = re.findall(r"^\s*from touchline\.(\w+)\.(\w+) c?import", text, re.MULTILINE)
        allowed = {own, *ALSO_DECLARED.get(path.stem, ())}
        trespasses += [
            f"{sources.name(path)} declares {header}" for header in set(declared) - allowed
        ]
        trespasses += [
            f"{sources.name(path)} imports touchline.{room}.{stem}"
            for room, stem in imported
            if not may_use(path, room, stem, SHELL_FACES)
        ]
    assert not trespasses


def test_a_room_imports_only_the_rooms_below_it() -> None:
    trespasses = []
    for path in PYTHON_FILES:
        *_, top, room, _ = ("", *path.relative_to(sources.ROOT).parts)
        table = CONTROL_ROOMS if top == "control" else PACKAGE_ROOMS
        prefix = "touchline.control" if top == "control" else "touchline"
        if room not in table:
            continue
        for other in table.keys() - table[room] - {room}:
            trespasses += [
                f"{sources.name(path)} imports {module}"
                for module in sources.imports(path)
                if f"{module}.".startswith(f"{prefix}.{other}.")
            ]
    assert not trespasses


def test_a_python_file_imports_only_what_its_folder_may() -> None:
    trespasses = [
        f"{sources.name(path)} imports {module}"
        for path in PYTHON_FILES
        for module in sources.imports(path)
        for forbidden in FORBIDDEN[sources.top(path)]
        if forbidden not in ALLOWED.get(sources.name(path.parent), ())
        if module == forbidden or module.startswith(f"{forbidden}.")
    ]
    assert not trespasses


def test_optional_packages_are_imported_by_name_where_the_table_says() -> None:
    users = {
        sources.name(path): set(re.findall(r'"(pyarrow|pandas|polars)"', path.read_text()))
        for path in PYTHON_FILES
        if sources.top(path) == "src" and "importlib" in sources.imports(path)
    }
    assert {file: names for file, names in users.items() if names} == OPTIONAL


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
