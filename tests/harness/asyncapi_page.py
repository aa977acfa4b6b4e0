"""docs/asyncapi.json: the published messages as an AsyncAPI document, for `make docs`."""

from __future__ import annotations

import json

from harness import sources
from touchline.marketdata.asyncapi import document

PAGE = sources.ROOT / "docs/asyncapi.json"


def text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
