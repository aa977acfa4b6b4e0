"""docs/quants.md runs as written: its Python blocks, one after the other, print what it says."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

from harness import sources

TEXT = (sources.ROOT / "docs/quants.md").read_text()
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n\nprints\n\n```\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_print_what_the_page_says() -> None:
    examples = EXAMPLE.findall(TEXT)
    assert len(examples) == TEXT.count("```python") == 5
    names: dict[str, Any] = {}
    for example, printed in examples:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(example, "quants.md", "exec"), names)
        assert out.getvalue() == printed


def test_every_method_of_the_market_is_in_its_table() -> None:
    from touchline.market import Market, Report
    from touchline.market.entry import OrderEntry

    for kind in (Market, OrderEntry, Report):
        for name in vars(kind):
            if not name.startswith("_"):
                assert f"`.{name}" in TEXT or f"`{name}`" in TEXT, f"{kind.__name__}.{name}"
