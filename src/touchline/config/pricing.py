"""The sections about prices of others: what sources there are, and how one price comes of them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from touchline.config.base import Section
from touchline.config.values import Name

Loc = tuple[str | int, ...]


class PricingSection(Section):
    """[pricing]: of all sources together."""

    window_s: Annotated[Decimal, Field(gt=0, le=86_400)] = Decimal(300)
    sigma: Annotated[Decimal, Field(gt=0, le=1000)] = Decimal(3)
    outlier_after: int = Field(default=10, ge=2, le=65_536)
    failover_hold_s: Annotated[Decimal, Field(ge=0, le=86_400)] = Decimal(1)


class SourceSection(Section):
    """[[sources]]: who says prices, the most trusted first; `symbols` are theirs = ours."""

    name: Name
    weight: Annotated[Decimal, Field(gt=0, le=1000)] = Decimal(1)
    timeout_ms: int = Field(default=100, ge=1, le=86_400_000)
    score_min: float = Field(default=0.0, ge=0, le=1)
    symbols: dict[str, Name] = Field(default_factory=dict)


def source_problems(sources: list[tuple[int, SourceSection]]) -> Iterator[tuple[Loc, str]]:
    """Names of a source that mean one of ours together."""
    for index, source in sources:
        theirs: dict[str, str] = {}
        for name, ours in source.symbols.items():
            if ours in theirs:
                where = ("sources", index, "symbols", name)
                yield where, f"is {ours!r}, and so is {theirs[ours]!r}"
            theirs[ours] = name
