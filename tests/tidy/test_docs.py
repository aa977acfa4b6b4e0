"""The documents say what is there: links lead somewhere, every constant and field is explained."""

from __future__ import annotations

import enum
import importlib
import operator
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from harness import sources
from touchline.config import Config
from touchline.control.operate import cli
from touchline.core import messages
from touchline.data.captured_columns import COLUMNS
from touchline.fix.archive import NAME_BYTES
from touchline.marketdata import layout

DOCS = sources.files(".md")
MESSAGES = (sources.ROOT / "docs/messages.md").read_text()
RULES = (sources.ROOT / "docs/rules.md").read_text()
ARCHITECTURE = (sources.ROOT / "docs/architecture.md").read_text()
ROOMS = ["session", "translate", "bus", "runner", "journal", "engine", "risk", "book", "report"]
ENUMS = [
    value
    for value in vars(messages).values()
    if isinstance(value, type) and issubclass(value, enum.IntEnum) and list(value)
] + [messages.Flag]


def section(title: str) -> str:
    """The text under a heading of docs/messages.md, up to the next heading of any level."""
    found = re.search(rf"^#+ {title}\b.*?\n(.*?)(?=^#|\Z)", MESSAGES, re.MULTILINE | re.DOTALL)
    assert found, f"docs/messages.md has no section {title!r}"
    return found[1]


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def ids(value: object) -> str:
    return sources.name(value) if isinstance(value, Path) else getattr(value, "__name__", "")


@pytest.mark.parametrize("path", DOCS, ids=ids)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file) if file else path
        assert to.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(to), f"{target}: no such heading"


@pytest.mark.parametrize("path", DOCS, ids=ids)
def test_every_file_named_in_a_document_exists(path: Path) -> None:
    named = re.findall(
        r"`((?:src|ext|control|fix|tests|benchmarks|docs|deploy)/[\w./-]+\.\w+)`", path.read_text()
    )
    for file in named:
        assert (sources.ROOT / file).exists(), f"{file} does not exist"


@pytest.mark.parametrize("constants", ENUMS, ids=ids)
def test_every_constant_has_a_row_with_its_value(constants: type[enum.IntEnum]) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `?(\S+?)`? \|", section(constants.__name__), re.M))
    wanted = {member.name: getattr(member, "fix", str(member.value)) for member in constants}
    assert rows == wanted


@pytest.mark.parametrize(
    ("title", "dtype"),
    [
        ("Command", messages.COMMAND),
        ("Event", messages.EVENT),
        ("Level", messages.LEVEL),
        ("Order", messages.ORDER),
    ],
)
def test_every_field_has_a_row_with_its_type_and_place(title: str, dtype: np.dtype) -> None:
    assert dtype.fields is not None
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(\w+)` \|", section(title), re.MULTILINE)
    wanted = [
        (name, str(offset), kind.str.lstrip("<|"))
        for name, (kind, offset, *_) in dtype.fields.items()
    ]
    assert sorted(rows) == sorted(wanted)


def test_every_field_of_another_reading_has_a_row_with_its_type_and_place() -> None:
    readings = [
        (messages.COMMAND, messages.COMMAND_TEXT),
        (messages.EVENT, messages.EVENT_TRADE),
        (messages.EVENT, messages.EVENT_REFUSAL),
    ]
    wanted = []
    for plain, other in readings:
        assert plain.fields is not None
        assert other.fields is not None
        wanted += [
            (name, str(offset), kind.str.lstrip("<|"))
            for name, (kind, offset, *_) in other.fields.items()
            if name not in plain.fields
        ]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(\w+)` \|", section("Readings"), re.MULTILINE)
    assert sorted(rows) == sorted(wanted)


def test_every_rule_that_the_core_cites_exists() -> None:
    rules = {
        f"{chapter}.{number}"
        for chapter, body in re.findall(r"^## (\d)\..*?\n(.*?)(?=^## |\Z)", RULES, re.M | re.S)
        for number in re.findall(r"^(\d+)\. ", body, re.MULTILINE)
    }
    for path in sources.files(".c", ".h", ".py", ".pyx"):
        for cited in re.findall(r"\b[Rr]ules? (\d\.\d+)", path.read_text()):
            assert cited in rules, f"{sources.name(path)} cites rule {cited}"


def test_the_way_of_an_order_names_nine_rooms_and_functions_that_are_there() -> None:
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| `([\w./]+)` \|$", ARCHITECTURE, re.MULTILINE)
    assert [room for room, _, _ in rows] == ROOMS
    for _, function, file in rows:
        text = (sources.ROOT / file).read_text()
        if file.endswith(".py"):
            defined = re.search(rf"^ *def {function}\(", text, re.MULTILINE)
        else:
            defined = re.search(rf"^\w[\w *()]*\b{function}\([^;]*?\)\n\{{", text, re.MULTILINE)
        assert defined, f"{file} defines no {function}"


def test_every_file_of_the_c_rooms_is_in_the_tables_of_the_architecture() -> None:
    tables = re.findall(r"^\| (`[^|]+`) \|", ARCHITECTURE, re.MULTILINE)
    named = [name.split("/")[-1] for row in tables for name in re.findall(r"`([^`]+)`", row)]
    patterns = [
        re.escape(name)
        .replace(r"\*", r"[\w.]*")
        .replace(r"\{", "(?:")
        .replace(r"\}", ")")
        .replace(",", "|")
        for name in named
    ]
    for path in sources.files(".c", ".h", ".pyx", ".pxd"):
        if path.is_relative_to(sources.ROOT / "ext"):
            found = any(re.fullmatch(pattern, path.name) for pattern in patterns)
            assert found, f"docs/architecture.md does not say what {sources.name(path)} is"


def test_sizes_that_the_documents_write_out_are_the_constants() -> None:
    operations = (sources.ROOT / "docs/operations.md").read_text()
    block = re.search(r"a block of (\d+) neighbouring prices", operations)
    assert block
    assert int(block[1]) == messages.BLOCK_LEVELS
    rule = re.search(r"the block of (\d+) price levels", RULES)
    assert rule
    assert int(rule[1]) == messages.BLOCK_LEVELS
    fix = (sources.ROOT / "docs/fix.md").read_text()
    names = re.search(r"^\| Account, Symbol, CompID \| (\d+) bytes", fix, re.MULTILINE)
    assert names
    assert int(names[1]) == messages.TEXT_BYTES
    clord = re.search(r"^\| ClOrdID \| (\d+) bytes", fix, re.MULTILINE)
    assert clord
    assert int(clord[1]) == NAME_BYTES


def test_the_readme_names_every_command_and_every_extra() -> None:
    readme = (sources.ROOT / "README.md").read_text()
    for command in cli.main.commands:
        assert re.search(rf"`{command}[` ]", readme), f"README.md does not name {command}"
    project = tomllib.loads((sources.ROOT / "pyproject.toml").read_text())["project"]
    for extra in project["optional-dependencies"]:
        assert f"`touchline[{extra}]`" in readme, f"README.md does not name the extra {extra}"


@pytest.mark.parametrize(
    "record",
    ["HEADER", "TRADE", "BBO", "DEPTH", "STATUS", "STATISTICS", "HEARTBEAT", "BAR"],
)
def test_every_published_field_has_its_type_and_place(record: str) -> None:
    dtype = getattr(layout, record)
    page = (sources.ROOT / "docs/marketdata.md").read_text()
    found = re.search(rf"^### {record}, (\d+) bytes\n(.*?)(?=^#)", page, re.MULTILINE | re.DOTALL)
    assert found
    assert int(found[1]) == dtype.itemsize
    rows = re.findall(r"^\| (`[^|]+`) \| ([\d, ]+) \| (`[^|]+`) \|", found[2], re.MULTILINE)
    told: list[tuple[str, str, str]] = []
    for names, offsets, kinds in rows:
        fields, places = re.findall(r"\w+", names), offsets.split(", ")
        types = re.findall(r"\w+", kinds)
        types *= len(fields) if len(types) == 1 else 1
        told += zip(fields, places, types, strict=True)
    wanted = [
        (name, str(offset), kind.str.lstrip("<|"))
        for name, (kind, offset, *_) in dtype.fields.items()
    ]
    assert told == wanted


def test_every_setting_is_named_below_its_section() -> None:
    page = (sources.ROOT / "docs/operations.md").read_text()
    for section_name, field in Config.model_fields.items():
        of_a_list = get_args(field.annotation)
        heading = f"[[{section_name}]]" if of_a_list else f"[{section_name}]"
        found = re.search(
            rf"^- `{re.escape(heading)}`\n(.*?)(?=^- |^$)", page, re.MULTILINE | re.DOTALL
        )
        assert found, f"docs/operations.md does not tell of {heading}"
        model: Any = of_a_list[0] if of_a_list else field.annotation
        for key in model.model_fields:
            assert f"`{key}`" in found[1], f"docs/operations.md: {heading} does not name {key}"


def test_every_captured_column_has_a_row() -> None:
    page = (sources.ROOT / "docs/capture.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert told == [name for name, _, _ in COLUMNS]


FILE_ENDINGS = {"cfg", "conf", "duckdb", "log", "toml"}
PAGES = [path for path in DOCS if path.parent.name != "decisions"]  # which tell of old names too


def is_there(dotted: str) -> bool:
    """Whether a dotted name is a module of touchline, or an attribute of one."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        try:
            operator.attrgetter(".".join(parts[count:]) or "__name__")(found)
        except AttributeError:
            return False
        return True
    return False


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_every_python_and_c_name_in_a_document_is_there(path: Path) -> None:
    text = path.read_text()
    headers = "\n".join(file.read_text() for file in sources.files(".c", ".h"))
    dotted = set(re.findall(r"\btouchline(?:\.[a-zA-Z_]\w*)+", text))
    dotted = {name for name in dotted if name.split(".")[1] not in FILE_ENDINGS}
    wrong = {name for name in dotted if not is_there(name)}
    wrong |= set(re.findall(r"\b(?:tl|TL)_\w+", text)) - set(
        re.findall(r"\b(?:tl|TL)_\w+", headers)
    )
    assert not wrong, f"{sources.name(path)} names what is not there"


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_every_command_and_make_target_in_a_document_is_there(path: Path) -> None:
    text = path.read_text()
    makefile = (sources.ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make ([a-z][\w-]*)", text))
    missing = {name for name in targets if not re.search(rf"^[\w -]*\b{name}\b.*:", makefile, re.M)}
    used = set(re.findall(r"(?:`|^)touchline ([a-z][\w-]*)", text, re.MULTILINE))
    assert missing | (used - set(cli.main.commands)) == set()
