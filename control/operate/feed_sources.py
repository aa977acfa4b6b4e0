"""`touchline feed check --source`: files of several sources, priced as the configuration says."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import click

from touchline.config import Config
from touchline.control.operate.feed_lines import decimal
from touchline.data.any_feed import open_feed
from touchline.data.consolidate import Consolidated, consolidate
from touchline.data.pricing import NS_PER_MS, Pricing, PricingSource
from touchline.data.quality import Bounds
from touchline.data.sources import Provider, SymbolMap

_NS_PER_S = 1_000_000_000


def pricing_of(config: Config) -> Pricing:
    """The pricing engine of [pricing] and [[sources]]."""
    of = config.pricing
    return Pricing(
        {
            source.name: PricingSource(Fraction(source.weight), source.timeout_ms * NS_PER_MS)
            for source in config.sources
        },
        window_ns=int(of.window_s * _NS_PER_S),
        sigma=Fraction(of.sigma),
        outlier_after=of.outlier_after,
    )


def check_sources(
    config: Config, given: Sequence[str], day: str | None, bounds: Bounds
) -> tuple[dict[str, Any], list[str]]:
    """What came of files given as NAME=FILE, and what is wrong with it.

    Raises click.UsageError for a source that the configuration does not have.
    """
    known = {source.name: source for source in config.sources}
    files = dict(one.partition("=")[::2] for one in given)
    for name, path in files.items():
        if name not in known or not path:
            raise click.UsageError(
                f"--source {name}={path}: it is NAME=FILE, and [[sources]] has "
                f"{', '.join(known) or 'none'}"
            )
    with contextlib.ExitStack() as stack:
        made = consolidate(
            {
                name: stack.enter_context(open_feed(path, day=day, skip=True))
                for name, path in files.items()
            },
            pricing_of(config),
            tuple(
                Provider(source.name, source.timeout_ms * NS_PER_MS, source.score_min)
                for source in config.sources
            ),
            SymbolMap({source.name: source.symbols for source in config.sources}),
            bounds=bounds,
            hold_ns=int(config.pricing.failover_hold_s * _NS_PER_S),
        )
    wrong = [
        f"{name}: score {score:.6f} is below {known[name].score_min:g}"
        for name, score in made.scores.items()
        if score < known[name].score_min
    ]
    wrong += [f"{name}: {', '.join(sorted(of))} unmapped" for name, of in made.unmapped.items()]
    return _facts(made), wrong


def _facts(made: Consolidated) -> dict[str, Any]:
    prices = {
        symbol: {
            "price": None if answer.price is None else decimal(answer.price),
            "vwap": None if answer.vwap is None else decimal(answer.vwap),
            "why": str(answer),
        }
        for symbol, answer in sorted(made.answers.items())
    }
    return {
        "prices": prices,
        "observations": made.observations,
        "outliers": made.outliers,
        "scores": {name: round(score, 6) for name, score in made.scores.items()},
        "unmapped": {name: sorted(of) for name, of in made.unmapped.items()},
        "switches": len(made.switches),
        "believed": made.switches[-1][1] if made.switches else None,
        "late": made.late,
    }
