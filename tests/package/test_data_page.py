"""docs/data.md runs as written, and has every field and constant of a market record."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

from harness import sources
from touchline.study.books import FAULTS
from touchline.study.market_record import RECORD, RecordFlag, RecordType

TEXT = (sources.ROOT / "docs/data.md").read_text()
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n\nprints\n\n```\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_print_what_the_page_says() -> None:
    examples = EXAMPLE.findall(TEXT)
    assert len(examples) == TEXT.count("```python")
    names: dict[str, Any] = {}
    for example, printed in examples:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(example, "data.md", "exec"), names)
        assert out.getvalue() == printed


def test_every_field_and_constant_has_a_row() -> None:
    fields = RECORD.fields
    assert fields is not None
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(\w+)` \|", TEXT, re.MULTILINE)
    wanted = [(name, str(at), kind.str.lstrip("<|")) for name, (kind, at, *_) in fields.items()]
    assert rows == wanted
    types = dict(re.findall(r"^\| `(\w+)` \| `(\w)` \|", TEXT, re.MULTILINE))
    assert types == {kind.name: chr(kind) for kind in RecordType}
    flags = dict(re.findall(r"^\| `(\w+)` \| (\d+) \| \w", TEXT, re.MULTILINE))
    assert flags == {flag.name: str(flag.value) for flag in RecordFlag}
    for fault in FAULTS:
        assert f"`{fault}`" in TEXT
