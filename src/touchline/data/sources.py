"""Several sources of the same market: what each calls things, which one to believe now.

Pure functions: times and observations come in as arguments, a new state comes out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.data.reader import Path, Records
from touchline.errors import ConfigError


class SymbolMap:
    """What each source calls an instrument, exactly as it is written; nothing is guessed.

    `names[source][theirs]` is ours. Two of a source's names may not mean one of ours.
    """

    def __init__(self, names: Mapping[str, Mapping[str, str]]) -> None:
        problems = []
        for source, pairs in names.items():
            ours: dict[str, str] = {}
            for theirs, our in pairs.items():
                if our in ours:
                    problems.append(f"{source}: {ours[our]!r} and {theirs!r} are both {our!r}")
                ours[our] = theirs
        if problems:
            raise ConfigError(*problems)
        self._names = {source: dict(pairs) for source, pairs in names.items()}

    @classmethod
    def read(cls, path: Path) -> SymbolMap:
        """From TOML: a table [symbols.SOURCE] of theirs = "ours". Raises ConfigError."""
        try:
            found = tomllib.loads(FilePath(path).read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        symbols = found.get("symbols")
        if not isinstance(symbols, dict):
            raise ConfigError(f"{path}: there is no table [symbols.SOURCE]")
        for source, pairs in symbols.items():
            if not isinstance(pairs, dict) or not all(isinstance(v, str) for v in pairs.values()):
                raise ConfigError(f'{path}: [symbols.{source}] is not theirs = "ours"')
        return cls(symbols)

    def ours(self, source: str, theirs: str) -> str:
        """What we call it. Raises LookupError for a name that is not in the map."""
        try:
            return self._names[source][theirs]
        except KeyError:
            raise LookupError(f"{theirs!r} is no symbol that {source!r} is known to use") from None

    def numbers(
        self, source: str, symbols: Mapping[int, str], ours: Iterable[str]
    ) -> dict[int, int]:
        """A reader's numbers of instruments as places in the list `ours`; others are left out."""
        places = {symbol: place for place, symbol in enumerate(ours)}
        names = self._names.get(source, {})
        return {
            number: places[names[theirs]]
            for number, theirs in symbols.items()
            if names.get(theirs) in places
        }


def arbitrate(first: Records, second: Records) -> tuple[Records, int]:
    """Two lines of one feed as one: each number once, from the line that has it; the first line's
    where both do. Returns it with how many numbers neither has between the first and the last."""
    both = np.concatenate([first, second])
    numbers, at = np.unique(both["seq"], return_index=True)
    if not len(numbers):
        return both, 0
    span = int(numbers[-1]) - int(numbers[0]) + 1
    return both[at], span - len(numbers)


@dataclass(frozen=True)
class Provider:
    """A source that may be chosen: the first in order that is well is."""

    name: str
    timeout_ns: int
    score_min: float = 0.0


@dataclass(frozen=True)
class FailoverState:
    """When each provider was last heard, its score, since when it is well; and who is chosen."""

    heard: tuple[int | None, ...]
    scores: tuple[float, ...]
    well_since: tuple[int | None, ...]
    chosen: int | None


def failover_start(providers: tuple[Provider, ...]) -> FailoverState:
    """Nobody has been heard yet."""
    count = len(providers)
    return FailoverState((None,) * count, (1.0,) * count, (None,) * count, None)


def failover(
    providers: tuple[Provider, ...],
    state: FailoverState,
    now_ns: int,
    *,
    heard: str | None = None,
    score: float | None = None,
    hold_ns: int = 0,
) -> FailoverState:
    """The state at a time, after a provider was heard or its score known.

    A provider is well that was heard within its timeout and whose score is at least its least. The
    first that is well is chosen; one before the chosen takes over once it has been well for
    `hold_ns`, so that a source that comes and goes is not followed each time.
    """
    if heard is not None:
        at = next(i for i, provider in enumerate(providers) if provider.name == heard)
        state = replace(state, heard=_put(state.heard, at, now_ns))
        if score is not None:
            state = replace(state, scores=_put(state.scores, at, score))
    since: list[int | None] = []
    for i, provider in enumerate(providers):
        last = state.heard[i]
        well = last is not None and now_ns - last <= provider.timeout_ns
        well = well and state.scores[i] >= provider.score_min
        before = state.well_since[i]
        since.append((now_ns if before is None else before) if well else None)
    chosen = state.chosen
    if chosen is not None and since[chosen] is None:
        chosen = None
    for i, well_at in enumerate(since):
        if well_at is not None and (chosen is None or (i < chosen and now_ns - well_at >= hold_ns)):
            chosen = i
            break
    return replace(state, well_since=tuple(since), chosen=chosen)


def _put(values: tuple[Any, ...], at: int, value: Any) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])


def renumbered(records: Records, numbers: Mapping[int, int]) -> Records:
    """The records of the instruments in `numbers`, with the numbers they have there."""
    found, member = np.unique(records["instrument"], return_inverse=True)
    table: NDArray[np.int64] = np.array([numbers.get(n, -1) for n in found.tolist()], np.int64)
    mapped = table[member]
    kept = records[mapped >= 0]
    kept["instrument"] = mapped[mapped >= 0]
    return kept
