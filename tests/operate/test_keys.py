"""`touchline keys`, and a venue whose market data is for allowed keys alone."""

import json
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.venue import outcome, whole_venue, write_config
from harness.waiting import DEADLINE_S
from touchline.config import load
from touchline.control.operate.cli import main
from touchline.errors import ConfigError, TouchlineError
from touchline.marketdata import Subscriber


def call(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), *arguments])


def answer(config: Path, *arguments: str) -> str:
    result = call(config, *arguments)
    assert result.exit_code == 0, result.output
    return result.output.rstrip("\n")


@pytest.fixture
def sockets_dir() -> Iterator[Path]:
    """A directory with a short path, as a local socket needs."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def test_a_venue_with_keys_from_the_first_key_to_the_last_subscriber(
    tmp_path: Path, sockets_dir: Path
) -> None:
    path = write_config(tmp_path)
    asked = f'[publish]\ncurve = true\nipc_dir = "{sockets_dir}"\n'
    text = path.read_text().replace("[publish]\n", asked)
    path.write_text(text)
    made = json.loads(answer(path, "keys", "make", "--json"))
    assert stat.S_IMODE(Path(made["secret_file"]).stat().st_mode) == 0o600
    server_key = answer(path, "keys", "show")
    assert server_key == made["public_key"]
    mine = json.loads(answer(path, "keys", "make", "mine", "--dir", str(tmp_path), "--json"))
    other = json.loads(answer(path, "keys", "make", "other", "--dir", str(tmp_path), "--json"))
    answer(path, "keys", "allow", "mine", mine["public_key"])
    answer(path, "keys", "allow", "other", str(tmp_path / "other.key"))
    assert [one["name"] for one in json.loads(answer(path, "keys", "list", "--json"))] == [
        "mine",
        "other",
    ]
    answer(path, "keys", "revoke", "other")
    with whole_venue(path) as venue:
        venue.enter(1000)
        publish = venue.config.publish
        tcp = [f"tcp://127.0.0.1:{port}" for port in (publish.pub_port, publish.snapshot_port)]
        local = [
            f"ipc://{publish.ipc_path(venue.config.venue.name, port)}"
            for port in ("pub", "snapshot")
        ]
        for one, two in (tcp, local):

            def subscribe(who: dict[str, str], one: str = one, two: str = two) -> Subscriber:
                return Subscriber(
                    one, two, timeout_s=DEADLINE_S, key=who["secret_file"], server_key=server_key
                )

            with subscribe(mine) as subscriber:
                assert subscriber.book("AAA").best_bid == 1000
            with pytest.raises(TouchlineError, match="does not allow the key"):
                subscribe(other)
        # The operator's own tools have the venue's key.
        assert "10.00" in answer(path, "book", "AAA")
        venue.stop()
    assert not list(sockets_dir.iterdir())


def test_a_venue_without_its_key_does_not_start_and_says_why(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("[publish]\n", "[publish]\ncurve = true\n"))
    code, errors = outcome(path)
    assert (code, "keys/venue.key_secret; `touchline keys make` makes it" in errors) == (1, True)
    secret = Path(json.loads(answer(path, "keys", "make", "--json"))["secret_file"])
    secret.chmod(0o644)
    code, errors = outcome(path)
    assert (code, f"{secret} may be read by others: chmod 600" in errors) == (1, True)


def test_wrong_calls_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    for arguments, reason in (
        (("show",), "venue.key: No such file"),
        (("allow", "mine", "no-key"), "no-key: No such file"),
        (("revoke", "mine"), "does not allow 'mine'; it allows nobody"),
        (("make", "../mine"), "is no name of a key"),
    ):
        result = call(path, "keys", *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert reason in result.stderr
    answer(path, "keys", "make")
    assert "is there already" in call(path, "keys", "make").stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "market.example", "192.0.2.1"])
def test_market_data_is_for_everybody_only_when_the_file_says_so(tmp_path: Path, host: str) -> None:
    path = write_config(tmp_path)
    with pytest.raises(ConfigError, match=r"publish\.host: '.*' can be reached by others: curve"):
        load(path, {"publish.host": host})
    for allowing in ("curve", "plain_anywhere"):
        assert load(path, {"publish.host": host, f"publish.{allowing}": True}).publish.host == host
    assert load(path, {"publish.host": host, "publish.enabled": False}).publish.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_asks_for_no_keys(tmp_path: Path, host: str) -> None:
    assert not load(write_config(tmp_path), {"publish.host": host}).publish.curve


def test_the_path_of_a_local_socket_fits(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    with pytest.raises(ConfigError, match=r"publish\.ipc_dir: .* longer than the 107 bytes"):
        load(path, {"publish.ipc_dir": "x" * 90})
    assert load(path, {"publish.ipc_dir": "/tmp"}).publish.ipc_dir == Path("/tmp")
