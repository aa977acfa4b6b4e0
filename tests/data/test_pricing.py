"""The price of several sources: rules one by one, and a plain reference over random hours."""

from __future__ import annotations

import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.data.pricing import (
    EXAMPLE,
    NS_PER_MS,
    Answer,
    Observation,
    Pricing,
    PricingSource,
    State,
    Time,
    step,
)
from touchline.errors import TouchlineError


def run(pricing: Pricing, *events: Observation | Time) -> Answer:
    state = State()
    for event in events:
        state, answer = step(pricing, state, event)
    return answer


def test_sources_count_by_their_weight() -> None:
    answer = run(
        EXAMPLE,
        Observation("reuters", 1, 100, 1),
        Observation("bloomberg", 2, 110, 1),
        Observation("internal", 3, 200, 8),
    )
    assert answer.price == 124  # 0.4 * 100 + 0.4 * 110 + 0.2 * 200
    assert answer.vwap == 181  # (100 + 110 + 1600) / 10
    assert answer.silent == ()
    assert str(answer) == "124: reuters 100 x 2/5, bloomberg 110 x 2/5, internal 200 x 1/5"


def test_a_silent_source_leaves_its_weight_to_the_others() -> None:
    heard = (Observation("reuters", 0, 100, 1), Observation("internal", 0, 200, 1))
    assert run(EXAMPLE, *heard, Time(50 * NS_PER_MS)).price == 133  # 2/3 and 1/3, to even
    later = run(EXAMPLE, *heard, Time(50 * NS_PER_MS + 1))
    assert (later.price, later.silent) == (100, ("bloomberg", "internal"))
    assert run(EXAMPLE, *heard, Time(100 * NS_PER_MS + 1)).price is None


def test_an_observation_leaves_the_window_after_300_seconds() -> None:
    heard = (Observation("reuters", 0, 100, 1), Observation("reuters", 10, 300, 1))
    window = EXAMPLE.window_ns
    assert run(EXAMPLE, *heard, Time(window)).vwap == 200
    assert run(EXAMPLE, *heard, Time(window + 1)).vwap == 300
    assert run(EXAMPLE, *heard, Time(window + 11)).vwap is None


def test_an_outlier_is_told_and_changes_nothing() -> None:
    state = State()
    for i in range(20):
        state, _ = step(EXAMPLE, state, Observation("reuters", i, 1000 + i % 2, 1))
    after, answer = step(EXAMPLE, state, Observation("bloomberg", 30, 2000, 1))
    assert answer.outlier
    assert after.latest == state.latest
    assert after.count == state.count
    assert not step(EXAMPLE, state, Observation("bloomberg", 30, 1002, 1))[1].outlier


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Observation("other", 5, 1, 1), "source 'other' is none of reuters, bloomberg, internal"),
        (Observation("reuters", 5, 0, 1), "reuters: price 0 or quantity 1 is not positive"),
        (Time(4), "time 4 is before 5, which has been"),
    ],
)
def test_what_can_not_be_is_refused(event: Observation | Time, words: str) -> None:
    state, _ = step(EXAMPLE, State(), Time(5))
    with pytest.raises(TouchlineError, match=words):
        step(EXAMPLE, state, event)


SMALL = Pricing(
    {"a": PricingSource(Fraction(1, 3), 40), "b": PricingSource(Fraction(2), 15)},
    window_ns=100,
    sigma=Fraction(3, 2),
    outlier_after=4,
    observations_max=12,
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just(None), st.integers(0, 60), st.just(1), st.just(1)),
        st.tuples(
            st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 10**12), st.integers(1, 10**6)
        ),
    ),
    max_size=60,
)


def reference(events: list[Observation | Time]) -> Answer:
    """The answer to the last event, worked out from all of them anew, in fractions."""
    kept: list[Observation] = []
    for i, event in enumerate(events):
        outlier = False
        rows = [row for row in kept if row.ts_ns >= event.ts_ns - SMALL.window_ns]
        rows = rows[-SMALL.observations_max :]
        if isinstance(event, Observation):
            if len(rows) >= SMALL.outlier_after:
                mean = Fraction(sum(row.price for row in rows), len(rows))
                variance = sum((row.price - mean) ** 2 for row in rows) / len(rows)
                outlier = variance > 0 and (event.price - mean) ** 2 > SMALL.sigma**2 * variance
            if not outlier:
                kept.append(event)
                rows.append(event)
        if i < len(events) - 1:
            continue
        rows = rows[-SMALL.observations_max :]
        return answered(kept, rows, event.ts_ns, outlier)
    raise AssertionError("no events")


def answered(kept: list[Observation], rows: list[Observation], now: int, outlier: bool) -> Answer:
    live = {}
    for name, source in SMALL.sources.items():
        last = [row for row in kept if row.source == name][-1:]
        if last and now - last[0].ts_ns <= source.timeout_ns:
            live[name] = (last[0].price, source.weight)
    total = sum(weight for _, weight in live.values())
    price = sum(price * weight for price, weight in live.values())
    qty = sum(row.qty for row in rows)
    return Answer(
        round(price / total) if live else None,
        round(Fraction(sum(row.price * row.qty for row in rows), qty)) if qty else None,
        tuple((name, price, weight / total) for name, (price, weight) in live.items()),
        tuple(name for name in SMALL.sources if name not in live),
        outlier,
        len(rows),
    )


@given(EVENTS)
def test_every_answer_is_the_references(steps: list[tuple[str | None, int, int, int]]) -> None:
    state, now = State(), 0
    events: list[Observation | Time] = []
    for source, later, price, qty in steps:
        now += later
        events.append(Time(now) if source is None else Observation(source, now, price, qty))
        before = pickle.dumps(state)
        again, answer = step(SMALL, state, events[-1])
        assert answer == reference(events)
        assert pickle.dumps(state) == before
        assert step(SMALL, pickle.loads(before), events[-1]) == (again, answer)
        state = again
