"""Prices and quantities: text in, ticks and lots out, and back, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal, Inexact, localcontext
from fractions import Fraction

import numpy as np
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


NO_NUMBERS = ["", "-", ".", " 1", "1\n", "1_0", "0x1", "١", "1,5", "--1", "1.2.3"]
NO_EXPONENTS = ["1e", "e5", "1e+", "1e1.5", "nan", "Infinity"]


@pytest.mark.parametrize("text", [*NO_NUMBERS, *NO_EXPONENTS])
def test_what_is_no_number_is_refused_with_what_was_written(text: str) -> None:
    with pytest.raises(PriceError, match="is not a decimal number"):
        INSTRUMENT.to_ticks(text)
    with pytest.raises(QtyError, match="is not a decimal number"):
        INSTRUMENT.to_lots(text)


@pytest.mark.parametrize(
    "number", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), True, np.True_, None, b"1"]
)
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


NO_SIZE = ["Infinity", "NaN", "abc", "", "0", -1, 0.01, np.float32(0.5), True, None, "1E-19",
           "1E+18", Decimal("Infinity"), Decimal("1E+999999999"), Fraction(1, 3)]  # fmt: skip


@pytest.mark.parametrize("size", NO_SIZE, ids=repr)
def test_what_is_no_tick_or_lot_makes_no_instrument(size: object) -> None:
    with pytest.raises(PriceError, match=r"^tick size "):
        Instrument(0, "AAA", size, 1)  # type: ignore[arg-type]
    with pytest.raises(QtyError, match=r"^lot size "):
        Instrument(0, "AAA", 1, size)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [0.05, np.float64(0.05), np.float32(0.5)], ids=repr)
def test_a_float_is_refused_with_what_to_write_instead(number: float) -> None:
    with pytest.raises(PriceError, match=f"price {number!s} is a float; write it as text, '"):
        INSTRUMENT.to_ticks(number)  # type: ignore[arg-type]
    with pytest.raises(QtyError, match=f"quantity {number!s} is a float; write it as text, '"):
        INSTRUMENT.to_lots(number)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "number", [np.int64(20), np.uint8(20), Fraction(20), Fraction(40, 2), "2E+1", Decimal("2E+1")]
)
def test_every_exact_number_is_a_price_and_a_quantity(number: str) -> None:
    assert (INSTRUMENT.to_ticks(number), INSTRUMENT.to_lots(number)) == (400, 2)
    assert INSTRUMENT.floor_lots(number) == 2
    assert Instrument(0, "AAA", number, number).tick_size == 20


def test_a_fraction_off_tick_is_refused() -> None:
    with pytest.raises(PriceError, match=r"price 1/3 is not a multiple of the tick size 0\.05"):
        INSTRUMENT.to_ticks(Fraction(1, 3))


@pytest.mark.parametrize("size", ["7E-8", "0.00000007", "1E-18", "1E+2", "0.10", "9" * 18])
@pytest.mark.parametrize("units", [1, 3, 12345678, 2**31 - 1])
def test_what_is_printed_is_read_again(size: str, units: int) -> None:
    instrument = Instrument(0, "AAA", size, size)
    price = instrument.to_price(units)
    for text in (str(price), f"{price:f}"):
        assert instrument.to_ticks(text) == instrument.to_lots(text) == units
    assert "E+" not in str(price)
    with pytest.raises(PriceError) as told:
        instrument.to_ticks("1E-30")
    assert "E" not in str(told.value).partition("tick size")[2]


def test_a_number_of_a_billion_digits_takes_no_time() -> None:
    for text in ("1E+999999999", "-1E+999999999"):
        for number in (text, Decimal(text)):
            with pytest.raises(PriceError, match="is too large"):
                INSTRUMENT.to_ticks(number)
    assert INSTRUMENT.floor_lots("1E+999999999") == 2**63 - 2
    assert INSTRUMENT.floor_lots("1E-999999999") == INSTRUMENT.floor_value("1E-999999999") == 0
    with pytest.raises(PriceError, match="is not a multiple"):
        INSTRUMENT.to_ticks("1E-999999999")
    with pytest.raises(PriceError, match="is not a decimal number"):
        INSTRUMENT.to_ticks("1" * 1_000_000)


@pytest.fixture(params=["short", "inexact", "every trap"])
def callers_context(request: pytest.FixtureRequest) -> Iterator[str]:
    """A decimal context that a program around us may have set."""
    wanted = {"short": (), "inexact": (Inexact,), "every trap": Context().traps}[request.param]
    traps = [signal for signal in Context().traps if signal in wanted]
    with localcontext(Context(prec=4, Emax=9, Emin=-9, capitals=0, traps=traps)):
        yield request.param


@pytest.mark.usefixtures("callers_context")
def test_the_callers_decimal_context_changes_nothing() -> None:
    instrument = Instrument(0, "AAA", "0.0001", 10)
    assert str(instrument.to_price(123456789)) == "12345.6789"
    assert str(instrument.to_qty(123456789)) == "1234567890"
    assert str(instrument.to_value(123456789)) == "123456.7890"
    assert instrument.to_ticks("12345.6789") == instrument.to_ticks("123456789E-4") == 123456789
    assert instrument.floor_value("12345.67899") == 12345678
    assert instrument.floor_lots(1234567899) == 123456789
    assert str(instrument.to_avg_px(100_000, 3)) == "3.333333333333333333333333333"
    with pytest.raises(PriceError, match=r"price 12345\.67891 is not a multiple of the tick size"):
        instrument.to_ticks("12345.67891")
    assert Instrument(0, "AAA", Fraction(12345, 10_000), "123.4567").lot_size == Decimal("123.4567")
