"""Orders of who has left, and messages of who is too fast; what is agreed holds, and no more."""

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.fix_client import FixClient, utc_now
from harness.fix_venue import PartsVenue, running_venue, venue_config
from harness.waiting import until
from touchline.config import load
from touchline.core.messages import ExecType
from touchline.errors import ConfigError


@contextlib.contextmanager
def venue(directory: Path, **agreed: Any) -> Iterator[PartsVenue]:
    """BROKER1 as agreed; BROKER2 shares its account."""
    sessions = [
        {"comp_id": "BROKER1", "accounts": ["ACC1"], **agreed},
        {"comp_id": "BROKER2", "accounts": ["ACC1", "ACC2"]},
    ]
    with running_venue(directory, sessions=sessions) as found:
        yield found


def orders(client: FixClient, *names: str) -> None:
    for name in names:
        client.send(
            "D", f"11={name}", "55=S00", "54=1", "38=10", "40=2", "44=1", "59=1",
            f"60={utc_now()}",
        )  # fmt: skip
        client.expect(_35="8", _39="0", _11=name)


def leave(client: FixClient, by: str) -> None:
    if by == "logout":
        client.send("5")
        client.expect(_35="5")
    client.close()


def back(client: FixClient, before: FixClient, wanted: int) -> None:
    """Log on again; what was sent from number `wanted` on comes too."""
    client.next_seq = before.next_seq
    assert client.logon(f"789={wanted}", reset=False)["35"] == "A"


def canceled(found: PartsVenue) -> int:
    return int((found.events()["exec_type"] == ExecType.CANCELED).sum())


def open_orders(found: PartsVenue) -> int:
    return len(found.engine().open_orders())


@pytest.mark.parametrize("by", ["logout", "disconnect"])
@pytest.mark.parametrize("mode", ["off", "logout", "disconnect", "both"])
def test_orders_of_a_session_end_when_its_broker_leaves_as_agreed(
    tmp_path: Path, mode: str, by: str
) -> None:
    with venue(tmp_path, cancel_on_disconnect=mode) as found:
        with FixClient(found.port, "BROKER2") as other:
            other.logon()
            orders(other, "B1")
            client = FixClient(found.port, "BROKER1")
            client.logon()
            orders(client, "A1", "A2", "A3")
            leave(client, by)
            if mode in (by, "both"):
                until(lambda: canceled(found) == 3, "they are canceled")
            with FixClient(found.port, "BROKER1") as again:
                back(again, client, 6 if by == "logout" else 5)
                if mode in (by, "both"):
                    told = [again.expect(_35="8", _39="4") for _ in range(3)]
                    assert sorted(one["11"] for one in told) == ["A1", "A2", "A3"]
                    assert all("41" not in one for one in told)
                orders(again, "A4")
                again.nothing_more("no more")
            other.nothing_more("untouched")
        if mode in ("off", "logout"):  # the last line ended without a Logout
            assert open_orders(found) == (2 if mode == by else 5)


def test_who_is_back_in_time_keeps_his_orders(tmp_path: Path) -> None:
    with venue(tmp_path, cancel_on_disconnect="both", cancel_grace_s=3) as found:
        client = FixClient(found.port, "BROKER1")
        client.logon()
        orders(client, "A1")
        client.close()
        with FixClient(found.port, "BROKER1") as again:
            again.next_seq = client.next_seq
            until(lambda: logged_on(again), "he is in again")
            for beat in range(5):  # past his time
                again.nothing_more(f"beat {beat}")
                time.sleep(0.9)
            assert open_orders(found) == 1
        until(lambda: open_orders(found) == 0, "he did not come back this time")


def logged_on(client: FixClient) -> bool:
    return client.logon(reset=False)["35"] == "A"


def test_a_killed_gateway_does_what_it_owed_and_once(tmp_path: Path) -> None:
    with venue(tmp_path, cancel_on_disconnect="disconnect", cancel_grace_s=1) as found:
        client = FixClient(found.port, "BROKER1")
        client.logon()
        orders(client, "A1", "A2")
        found.end("gateway", signal.SIGKILL)
        client.close()
        assert found.start("gateway") == "ready"
        until(lambda: canceled(found) == 2, "they are canceled")
        found.end("gateway", signal.SIGKILL)
        assert found.start("gateway") == "ready"
        with FixClient(found.port, "BROKER1") as again:
            back(again, client, 4)
            assert sorted(again.expect(_35="8", _39="4")["11"] for _ in range(2)) == [
                "A1",
                "A2",
            ]
            orders(again, "A3")
            again.nothing_more("told once")
            leave(again, "logout")
        found.end("gateway", signal.SIGKILL)
        assert found.start("gateway") == "ready"
        with FixClient(found.port, "BROKER1") as last:
            last.next_seq = again.next_seq
            last.logon(reset=False)
            for beat in range(3):  # past his time: he had left by a Logout
                last.nothing_more(f"beat {beat}")
                time.sleep(0.7)
        assert canceled(found) == 2


def test_many_orders_are_canceled_while_others_are_served(tmp_path: Path) -> None:
    count = 1500
    with venue(tmp_path, cancel_on_disconnect="disconnect") as found:
        client = FixClient(found.port, "BROKER1")
        client.logon()
        data = b"".join(
            client.message(
                "D", f"11=M{n}", "55=S00", "54=1", "38=10", "40=2", "44=1", f"60={utc_now()}"
            )
            for n in range(count)
        )  # fmt: skip
        client.send_bytes(data)
        client.close()  # unread: what is still under way becomes an order first, and ends too
        with FixClient(found.port, "BROKER2") as other:
            other.logon()
            orders(other, "B1")
        until(lambda: open_orders(found) == 1, "all of them have ended")


def test_who_is_too_fast_waits_and_loses_nothing(tmp_path: Path) -> None:
    with (
        venue(tmp_path, throttle=20) as found,
        FixClient(found.port, "BROKER1") as client,
    ):
        client.logon()
        names = [f"T{n}" for n in range(60)]
        data = b"".join(
            client.message(
                "D",
                f"11={n}",
                "55=S00",
                "54=1",
                "38=10",
                "40=2",
                "44=1",
                f"60={utc_now()}",
            )
            for n in names
        )
        client.send_bytes(data)
        with FixClient(found.port, "BROKER2") as other:
            other.logon()
            orders(other, *(f"B{n}" for n in range(60)))  # served at once
        told = [client.expect(_35="8", _39="0")["11"] for _ in names]
        assert told == names
        times = found.events()["ts_ns"]
        assert (int(times[-1]) - int(times[0])) >= 1_900_000_000  # 20 at once, 40 at their pace


def test_what_quickfix_can_not_do_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "touchline.toml"
    base = '[fix]\nengine = "quickfix"\n[[accounts]]\nname = "A"\n[[sessions]]\ncomp_id = "B"\n'
    for line in ('cancel_on_disconnect = "both"', "throttle = 5"):
        path.write_text(f'{base}accounts = ["A"]\n{line}\n')
        with pytest.raises(ConfigError, match=r'needs fix\.engine = "native"'):
            load(path)
    path.write_text(f'{base}accounts = ["A"]\ncancel_grace_s = -1\nthrottle = 0\n')
    with pytest.raises(ConfigError, match="cancel_grace_s"):
        load(path)
    assert venue_config(tmp_path).sessions[0].throttle is None
