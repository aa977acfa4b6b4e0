"""Reports and requests in the small: numbers as text, reading fields, settings."""

import sys
import xml.etree.ElementTree as ElementTree
from decimal import Decimal
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fix_venue import venue_config
from touchline.config import FixVersion
from touchline.core.messages import COMMAND, EVENT, Reason, cxl_rej_reason, ord_rej_reason
from touchline.errors import SessionError
from touchline.fix.desk import Malformed, fields_of
from touchline.fix.orders import COMMAND_PICKED, EVENT_PICKED, Event, events_of
from touchline.fix.outbound import avg_px, known_cxl_rej_reason, known_ord_rej_reason, transact_time
from touchline.fix.settings import GatewaySettings, dictionary, quickfix_settings
from touchline.fix.versions import VERSIONS
from touchline.instruments import Instrument

INSTRUMENT = Instrument(0, "AAA", Decimal("0.05"), Decimal(1), "USD")


def test_times_have_milliseconds() -> None:
    assert transact_time(1_700_000_000_123_999_999) == "20231114-22:13:20.123"
    assert transact_time(0) == "19700101-00:00:00.000"


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=5))
def test_avg_px_is_exact_to_eight_decimals_of_a_tick(fills: list[tuple[int, int]]) -> None:
    notional = sum(price * qty for price, qty in fills)
    cum_qty = sum(qty for _, qty in fills)
    text = avg_px(INSTRUMENT, notional, cum_qty)
    error = abs(Decimal(text) * cum_qty - notional * INSTRUMENT.tick_size)
    assert error <= cum_qty * Decimal("1e-10")
    assert "E" not in text


def test_avg_px_before_the_first_trade_is_zero() -> None:
    assert avg_px(INSTRUMENT, 0, 0) == "0"


@pytest.mark.parametrize("begin_string", ["FIX.4.2", "FIX.4.4"])
def test_every_reason_is_one_the_version_knows(begin_string: str, tmp_path: Path) -> None:
    tree = ElementTree.parse(dictionary(begin_string, tmp_path))
    for number, known, of in (
        ("103", known_ord_rej_reason, ord_rej_reason),
        ("102", known_cxl_rej_reason, cxl_rej_reason),
    ):
        values = tree.findall(f"fields/field[@number='{number}']/value")
        allowed = {int(value.attrib["enum"]) for value in values}
        assert {known(begin_string, of(reason)) for reason in Reason} <= allowed
        assert {known(begin_string, code) for code in range(100)} == allowed


def test_every_version_that_may_be_configured_has_its_row() -> None:
    """FIXT.1.1 is spoken by the engine in C alone, which has rows of its own."""
    assert set(get_args(FixVersion)) - {"FIXT.1.1"} == VERSIONS.keys()


def test_fields_are_read_as_they_stand_and_the_first_of_two_counts() -> None:
    assert fields_of("8=FIX.4.4\x0135=D\x0158=a=b\x0138=1\x0138=2\x0110=000\x01") == {
        "8": "FIX.4.4",
        "35": "D",
        "58": "a=b",
        "38": "1",
        "10": "000",
    }
    assert fields_of("35=D\x0138=1\x01354=9\x01355=x\x0138=2\x0110=000\x01")["38"] == "1"
    assert fields_of("35=D\x01355=x\x01broken\x0110=000\x01")["35"] == "D"


def test_bytes_that_are_no_text_are_named() -> None:
    raw = b"35=D\x0111=caf\xe9\x0110=000\x01".decode("utf-8", "surrogateescape")
    with pytest.raises(Malformed) as caught:
        fields_of(raw)
    assert caught.value.tag == 11


def test_records_are_read_where_the_vocabulary_puts_their_fields() -> None:
    events = np.zeros(1, EVENT)
    values = {name: number for number, name in enumerate(Event._fields, start=1)}
    for name in ("seq", "order_id", "price", "account", "instrument", "side", "flags"):
        events[name] = values[name]
    (event,) = events_of(events)
    assert (event.seq, event.price, event.flags) == (1, values["price"], values["flags"])
    assert EVENT_PICKED.itemsize == EVENT.itemsize
    assert COMMAND_PICKED.itemsize == COMMAND.itemsize


def test_settings_come_from_the_configuration(tmp_path: Path) -> None:
    settings = GatewaySettings.from_config(venue_config(tmp_path))
    assert [session.comp_id for session in settings.sessions][:2] == ["BROKER1", "BROKER2"]
    assert settings.sessions[0].accounts == ("ACC1", "ACC1B")
    text = quickfix_settings(settings, 12345)
    assert text.count("[SESSION]") == len(settings.sessions)
    assert "SocketNodelay=Y" in text
    assert "secret" not in text


def test_no_session_is_an_error(tmp_path: Path) -> None:
    config = venue_config(tmp_path, sessions=[])
    with pytest.raises(SessionError, match="sessions"):
        GatewaySettings.from_config(config)


def test_a_missing_dictionary_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(SessionError, match=r"FIX44\.xml is missing"):
        dictionary("FIX.4.4", tmp_path)


@pytest.mark.parametrize("length", ["212", "95", "354", "618"])
def test_what_is_within_data_is_no_field(length: str) -> None:
    inner = "x\x0138=70\x0144=9.95\x0111=INNER\x01é"
    data = f"{length}={len(inner.encode())}\x01{int(length) + 1}={inner}\x01"
    fields = fields_of(f"8=FIX.4.4\x0135=D\x01{data}11=a\x0138=1\x0110=000\x01")
    assert (fields["11"], fields["38"], fields.get("44")) == ("a", "1", None)
    assert fields[str(int(length) + 1)] == ""


def test_what_is_within_a_signature_is_no_field() -> None:
    inner = "x\x0144=9.95\x0193=1\x0189=y"
    raw = f"8=FIX.4.4\x0135=D\x0111=a\x0189={inner}\x0193={len(inner)}\x0110=000\x01"
    fields = fields_of(raw)
    assert (fields["11"], fields["89"], fields.get("44")) == ("a", "", None)
