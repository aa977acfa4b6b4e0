"""Prices and quantities: text in, ticks and lots out, and back, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.core.messages import Reason
from touchline.errors import PriceError, QtyError
from touchline.instruments import Instrument

INSTRUMENT = Instrument(0, "AAA", Decimal("0.05"), Decimal("10"), "USD")


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(["0.0001", "0.05", "0.25", "1", "25"]))
def test_ticks_become_a_price_and_the_same_ticks_again(ticks: int, tick_size: str) -> None:
    instrument = Instrument(0, "AAA", Decimal(tick_size), Decimal("1"))
    price = instrument.to_price(ticks)
    assert instrument.to_ticks(price) == ticks
    assert instrument.to_ticks(f"{price:f}") == ticks


@pytest.mark.parametrize(
    ("text", "ticks"),
    [("100.05", 2001), ("100.050", 2001), ("0", 0), ("-0.05", -1), ("+.05", 1), ("5.", 100)],
)
def test_a_price_is_read_as_fix_writes_it(text: str, ticks: int) -> None:
    assert INSTRUMENT.to_ticks(text) == ticks


@pytest.mark.parametrize(
    "text", ["", "-", ".", "1e5", "nan", "Infinity", " 1", "1_0", "0x1", "١", "1,5", "--1", "1.2.3"]
)
def test_what_is_no_number_is_refused_with_what_was_written(text: str) -> None:
    with pytest.raises(PriceError, match="is not a decimal number"):
        INSTRUMENT.to_ticks(text)
    with pytest.raises(QtyError, match="is not a decimal number"):
        INSTRUMENT.to_lots(text)


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("Infinity"), True, 0.05])
def test_numbers_that_are_not_exact_and_finite_are_refused(number: object) -> None:
    with pytest.raises(PriceError):
        INSTRUMENT.to_ticks(number)  # type: ignore[arg-type]


def test_a_price_off_tick_names_price_and_tick_size() -> None:
    with pytest.raises(PriceError, match=r"price 100\.06 is not a multiple of the tick size 0\.05"):
        INSTRUMENT.to_ticks("100.06")


def test_a_quantity_of_broken_lots_names_quantity_and_lot_size() -> None:
    with pytest.raises(QtyError, match="quantity 15 is not a multiple of the lot size 10"):
        INSTRUMENT.to_lots("15")


@pytest.mark.parametrize("text", ["9" * 20, "9" * 40, "9" * 5000])
def test_a_number_beyond_64_bits_is_refused(text: str) -> None:
    with pytest.raises(PriceError, match="too large"):
        INSTRUMENT.to_ticks(text)


def test_prices_and_quantities_are_written_with_the_decimals_of_their_unit() -> None:
    assert str(INSTRUMENT.to_price(2000)) == "100.00"
    assert str(INSTRUMENT.to_qty(3)) == "30"
    assert INSTRUMENT.to_value(2000 * 3) == Decimal("3000")


def test_limits_are_rounded_down_to_whole_units() -> None:
    assert INSTRUMENT.floor_lots(Decimal("59.9")) == 5
    assert INSTRUMENT.floor_value("1000.4") == 2000
    assert INSTRUMENT.floor_value("1" * 60) == 2**63 - 2
    with pytest.raises(PriceError):
        INSTRUMENT.floor_value("much")
    with pytest.raises(QtyError):
        INSTRUMENT.floor_lots("much")


@pytest.mark.parametrize(
    ("reason", "value", "limit", "text"),
    [
        (Reason.PRICE_BELOW_MIN, 0, 100, "price 0.00 is below the lowest, 5.00"),
        (Reason.PRICE_COLLAR, 2400, 2100, "price 120.00 is past the collar's bound, 105.00"),
        (Reason.INVALID_QTY, -1, 50, "quantity -10 is outside 10 to 500"),
        (Reason.ORDER_QTY_MAX, 7, 5, "order quantity 70 is over the limit of 50"),
        (Reason.ORDER_VALUE_MAX, 7, 5, "order value 3.50 is over the limit of 2.50"),
        (Reason.POSITION_MAX, 7, 5, "position with open orders 70 is over 50"),
        (Reason.ORDERS_FULL, 0, 5, "all 5 places for orders are taken"),
    ],
)
def test_a_refusal_speaks_in_the_units_of_its_reader(
    reason: Reason, value: int, limit: int, text: str
) -> None:
    assert INSTRUMENT.refusal_text(reason, value, limit) == text


def test_no_refusal_of_an_order_speaks_of_ticks_or_lots() -> None:
    for reason in Reason:
        assert not {"ticks", "lots"} & set(INSTRUMENT.refusal_text(reason, 1, 1).split())
