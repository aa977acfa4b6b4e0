"""One price from several sources: weights, timeouts, a window of trades, outliers.

    (state, observation or time) ─► step ─► (state, Answer: price, VWAP, and why)

A pure function with its state: the same observations give the same answers to the bit, on any
machine. All arithmetic is of whole numbers and fractions; a price is rounded once, half to even, to
1 / PRICE_SCALE. A state is never changed, so it can be kept, compared and gone back to.

  price   the mean, by weight, of the latest good price of each source that is not silent for longer
          than its timeout; without any, None
  vwap    of the good observations of the last `window_ns`, by quantity
  outlier an observation further from the mean of the window's prices than `sigma` standard
          deviations, once there are `outlier_after`: it is told and otherwise ignored
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from touchline.errors import TouchlineError

NS_PER_MS = 1_000_000
_CHUNK = 64


class PricingSource(NamedTuple):
    """How much a source counts, and after what silence it does not."""

    weight: Fraction
    timeout_ns: int


@dataclass(frozen=True)
class Pricing:
    """What the price is made from. `outlier_after`: so many observations before any is an outlier.

    Raises ValueError for a weight, timeout or size that is not positive.
    """

    sources: Mapping[str, PricingSource]
    window_ns: int = 300_000 * NS_PER_MS
    sigma: Fraction = Fraction(3)
    outlier_after: int = 10
    observations_max: int = 65_536

    def __post_init__(self) -> None:
        if not self.sources or self.window_ns <= 0 or self.sigma <= 0 or self.outlier_after < 2:
            raise ValueError("sources, window_ns, sigma must be positive, outlier_after 2 or more")
        if self.observations_max < self.outlier_after:
            raise ValueError("observations_max is less than outlier_after")
        for name, source in self.sources.items():
            if source.weight <= 0 or source.timeout_ns <= 0:
                raise ValueError(f"{name}: weight and timeout_ns must be positive")


EXAMPLE = Pricing(
    {
        "reuters": PricingSource(Fraction(4, 10), 100 * NS_PER_MS),
        "bloomberg": PricingSource(Fraction(4, 10), 100 * NS_PER_MS),
        "internal": PricingSource(Fraction(2, 10), 50 * NS_PER_MS),
    }
)


class Observation(NamedTuple):
    """What a source said: price in 1 / PRICE_SCALE, quantity."""

    source: str
    ts_ns: int
    price: int
    qty: int


class Time(NamedTuple):
    """Nobody said anything, and it is later."""

    ts_ns: int


@dataclass(frozen=True)
class State:
    """What is known. `window` holds (ts_ns, price, qty) in pieces, the oldest first; the sums are
    of all in it."""

    ts_ns: int = 0
    latest: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # source: ts_ns, price
    window: tuple[tuple[tuple[int, int, int], ...], ...] = ()
    count: int = 0
    prices: int = 0
    squares: int = 0
    values: int = 0  # price times quantity
    qty: int = 0


class Answer(NamedTuple):
    """A price and why. `used`: (source, price, share of the weight); `silent`: sources past their
    timeout; `outlier`: the observation was one."""

    price: int | None
    vwap: int | None
    used: tuple[tuple[str, int, Fraction], ...]
    silent: tuple[str, ...]
    outlier: bool
    window_count: int

    def __str__(self) -> str:
        parts = [f"{name} {price} x {share}" for name, price, share in self.used]
        parts += [f"{name} silent" for name in self.silent]
        if self.outlier:
            parts.append("an outlier was ignored")
        return f"{self.price}: {', '.join(parts)}"


def step(pricing: Pricing, state: State, event: Observation | Time) -> tuple[State, Answer]:
    """The next state and the price then.

    Raises TouchlineError for a source that is not in `pricing`, a price or quantity that is not
    positive, a time before the state's.
    """
    if event.ts_ns < state.ts_ns:
        raise TouchlineError(f"time {event.ts_ns} is before {state.ts_ns}, which has been")
    state = _aged(pricing, replace(state, ts_ns=event.ts_ns))
    outlier = False
    if isinstance(event, Observation):
        _check(pricing, event)
        outlier = is_outlier(pricing, state, event.price)
        if not outlier:
            state = _with(pricing, state, event)
    return state, _answer(pricing, state, outlier)


def _check(pricing: Pricing, event: Observation) -> None:
    if event.source not in pricing.sources:
        raise TouchlineError(f"source {event.source!r} is none of {', '.join(pricing.sources)}")
    if event.price <= 0 or event.qty <= 0:
        raise TouchlineError(f"{event.source}: price {event.price} or quantity {event.qty} is not "
                             "positive")  # fmt: skip


def is_outlier(pricing: Pricing, state: State, price: int) -> bool:
    """Is this price further off than `sigma` standard deviations of the window's prices?

    With n prices, their sum s and sum of squares q: (n p - s)^2 > sigma^2 (n q - s^2), which needs
    neither a division nor a root. Prices that are all the same have no deviation and no outlier.
    """
    if state.count < pricing.outlier_after:
        return False
    spread = state.count * state.squares - state.prices**2
    away = state.count * price - state.prices
    sigma = pricing.sigma
    return spread > 0 and away**2 * sigma.denominator**2 > sigma.numerator**2 * spread


def _added(state: State, row: tuple[int, int, int], sign: int) -> State:
    """The sums with an observation more, or less."""
    _, price, qty = row
    return replace(
        state,
        count=state.count + sign,
        prices=state.prices + sign * price,
        squares=state.squares + sign * price * price,
        values=state.values + sign * price * qty,
        qty=state.qty + sign * qty,
    )


def _with(pricing: Pricing, state: State, event: Observation) -> State:
    row = (event.ts_ns, event.price, event.qty)
    window = state.window
    if window and len(window[-1]) < _CHUNK:
        window = (*window[:-1], (*window[-1], row))
    else:
        window = (*window, (row,))
    latest = {**state.latest, event.source: (event.ts_ns, event.price)}
    state = _added(replace(state, window=window, latest=latest), row, 1)
    if state.count > pricing.observations_max:
        state = _without_oldest(state)
    return state


def _without_oldest(state: State) -> State:
    first, *others = state.window
    window = (first[1:], *others) if len(first) > 1 else tuple(others)
    return _added(replace(state, window=window), first[0], -1)


def _aged(pricing: Pricing, state: State) -> State:
    """Without what is older than the window."""
    oldest = state.ts_ns - pricing.window_ns
    while state.window and state.window[0][0][0] < oldest:
        state = _without_oldest(state)
    return state


def _answer(pricing: Pricing, state: State, outlier: bool) -> Answer:
    live = []
    silent = []
    for name, source in pricing.sources.items():
        heard = state.latest.get(name)
        if heard is None or state.ts_ns - heard[0] > source.timeout_ns:
            silent.append(name)
        else:
            live.append((name, heard[1], source.weight))
    total = sum((weight for _, _, weight in live), Fraction(0))
    used = tuple((name, price, weight / total) for name, price, weight in live)
    price = round(sum((price * share for _, price, share in used), Fraction(0))) if used else None
    vwap = round(Fraction(state.values, state.qty)) if state.qty else None
    return Answer(price, vwap, used, tuple(silent), outlier, state.count)
