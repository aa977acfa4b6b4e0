"""Keys: made, allowed and revoked; who has none that is allowed gets nothing, over tcp and ipc."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq
import zmq.auth

from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S, until
from publish import hostile
from publish.publishing import assert_books_equal, follow, publishing
from touchline.control.publish import doorman, gatekeeper
from touchline.control.publish import publisher as publish
from touchline.control.publish.publisher import Publisher
from touchline.errors import TouchlineError
from touchline.marketdata import Subscriber, keys


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


@dataclass(frozen=True)
class Ring:
    """A venue's directory of keys, and those of its clients."""

    directory: Path

    @property
    def allowed(self) -> Path:
        return self.directory / "allowed"

    @property
    def both(self) -> tuple[keys.Pair, keys.AllowedKeys]:
        pair = keys.load_pair(self.directory / "venue.key_secret")
        return pair, keys.AllowedKeys(self.allowed, pair.public)

    def make(self, name: str, allow: bool = True) -> Path:
        secret = keys.make(self.directory, name)
        if allow:
            keys.allow(self.allowed, name, keys.public_key(self.directory / f"{name}.key"))
        return secret

    def subscribe(self, publisher: Publisher, secret: Path, timeout_s: float = 0) -> Subscriber:
        return Subscriber(
            publisher.publish_endpoint,
            publisher.snapshot_endpoint,
            timeout_s=timeout_s or DEADLINE_S,
            key=secret,
            server_key=self.directory / "venue.key",
        )


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    keys.make(tmp_path / "keys", keys.VENUE)
    return Ring(tmp_path / "keys")


def test_an_allowed_key_gets_the_books_and_another_gets_nothing(
    venue: ThreadVenue, ring: Ring, seed: int
) -> None:
    mine, other = ring.make("mine"), ring.make("other", allow=False)
    with publishing(venue, keys=ring.both) as publisher:
        with ring.subscribe(publisher, mine) as subscriber:
            venue.send(order_flow(seed, 500))
            follow(subscriber, venue.event_seq)
            assert_books_equal(subscriber, venue.engine())
        public = keys.load_pair(other).public
        with pytest.raises(TouchlineError, match="does not allow the key") as refusal:
            ring.subscribe(publisher, other)
        assert public in str(refusal.value)
        until(lambda: publisher._gate is not None and publisher._gate.refused >= 1, "a refusal")


def test_who_speaks_without_a_key_or_of_another_venue_gets_nothing(
    venue: ThreadVenue, ring: Ring, tmp_path: Path
) -> None:
    mine = ring.make("mine")
    keys.make(tmp_path / "elsewhere", keys.VENUE)
    with publishing(venue, keys=ring.both) as publisher:
        ends = publisher.publish_endpoint, publisher.snapshot_endpoint
        with pytest.raises((TouchlineError, TimeoutError)):
            Subscriber(ends[0], ends[1], timeout_s=0.5)
        server_key = tmp_path / "elsewhere" / "venue.key"
        with pytest.raises((TouchlineError, TimeoutError)):
            Subscriber(ends[0], ends[1], timeout_s=0.5, key=mine, server_key=server_key)
        with zmq.Context() as context, context.socket(zmq.SUB) as plain:
            plain.subscribe(b"")
            plain.connect(ends[0])
            with ring.subscribe(publisher, mine) as subscriber:
                for _ in range(3):
                    follow_a_heartbeat(subscriber)
            assert not plain.poll(0)


def follow_a_heartbeat(subscriber: Subscriber) -> None:
    until(lambda: bool(subscriber.poll(0.5)), "a heartbeat")


def test_a_local_socket_serves_beside_the_port_with_and_without_keys(
    venue: ThreadVenue, ring: Ring, tmp_path: Path, seed: int
) -> None:
    local = [f"ipc://{tmp_path / name}" for name in ("p", "s")]
    mine, other = ring.make("mine"), ring.make("other", allow=False)
    with publishing(venue, local=local) as publisher, Subscriber(local[0], local[1]) as subscriber:
        assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o660
        assert publisher.publish_endpoint.startswith("tcp://")
        venue.send(order_flow(seed, 300))
        follow(subscriber, venue.event_seq)
        assert_books_equal(subscriber, venue.engine())
    with publishing(venue, local=local, keys=ring.both):
        server = ring.directory / "venue.key"
        with Subscriber(local[0], local[1], key=mine, server_key=server) as subscriber:
            assert_books_equal(subscriber, venue.engine())
        with pytest.raises(TouchlineError, match="does not allow the key"):
            Subscriber(local[0], local[1], key=other, server_key=server)


def test_a_local_socket_is_taken_over_only_from_the_dead(
    venue: ThreadVenue, tmp_path: Path
) -> None:
    local = [f"ipc://{tmp_path / name}" for name in ("p", "s")]
    taken = pytest.raises(TouchlineError, match="somebody else does")
    with publishing(venue, local=local), taken, publishing(venue, local=local):
        pass
    assert not (tmp_path / "p").exists()
    (tmp_path / "p").write_text("mine")
    in_the_way = pytest.raises(TouchlineError, match="a file that is no socket")
    with in_the_way, publishing(venue, local=local):
        pass
    assert (tmp_path / "p").read_text() == "mine"
    (tmp_path / "p").unlink()
    hostile.abandon(tmp_path / "p")
    with publishing(venue, local=local), Subscriber(local[0], local[1]) as subscriber:
        assert subscriber.symbols


def test_connections_of_a_local_socket_are_counted_too(
    venue: ThreadVenue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorman, "PEERS_MAX", 3)
    local = [f"ipc://{tmp_path / name}" for name in ("p", "s")]
    with publishing(venue, local=local) as publisher:
        peers = [hostile.connected_locally(tmp_path / "p") for _ in range(8)]
        until(lambda: publisher._doormen[0].cut >= 5, "those beyond are cut off")
        for peer in peers:
            peer.close()


def test_a_revoked_key_is_cut_off_while_others_go_on(
    venue: ThreadVenue, ring: Ring, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "STATE_S", 0.05)
    mine, other = ring.make("mine"), ring.make("other")
    with (
        publishing(venue, keys=ring.both) as publisher,
        ring.subscribe(publisher, mine) as subscriber,
        ring.subscribe(publisher, other) as revoked,
    ):
        follow(revoked, venue.event_seq)
        keys.revoke(ring.allowed, "other")

        def refused() -> bool:
            try:
                revoked.poll(0.1)
            except TouchlineError as error:
                return "does not allow the key" in str(error)
            return False

        until(refused, "the revoked one is told so")
        venue.send(order_flow(seed, 500))
        follow(subscriber, venue.event_seq)
        assert_books_equal(subscriber, venue.engine())
        # What is allowed while it runs is let in.
        later = ring.make("later")
        gate = publisher._gate
        assert gate is not None
        until(lambda: "later" in gate.allowed.names.values(), "the new key is known")
        with ring.subscribe(publisher, later) as third:
            follow(third, venue.event_seq)


def test_a_wrong_list_of_keys_is_told_and_the_old_one_stays(
    venue: ThreadVenue, ring: Ring, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(publish, "STATE_S", 0.05)
    mine = ring.make("mine")
    with publishing(venue, keys=ring.both) as publisher:
        with caplog.at_level("ERROR"):
            ring.allowed.write_text("nonsense\n")
            until(lambda: "stay as they were" in caplog.text, "the log tells")
        with ring.subscribe(publisher, mine) as subscriber:
            assert subscriber.symbols


def test_strangers_take_no_places_from_those_who_are_allowed(
    venue: ThreadVenue, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorman, "PEERS_MAX", 4)
    monkeypatch.setattr(doorman, "HANDSHAKE_LOOKS", 20)
    mine, later = ring.make("mine"), ring.make("later")
    with (
        publishing(venue, keys=ring.both) as publisher,
        ring.subscribe(publisher, mine) as subscriber,
    ):
        until(lambda: not publisher._doormen[0]._young, "it is no newcomer any more")
        silent = [hostile.connected(publisher.publish_endpoint) for _ in range(12)]
        until(lambda: publisher._doormen[0].cut >= 9, "strangers go first")
        before = publisher._doormen[0].cut
        with ring.subscribe(publisher, later) as late:
            follow_a_heartbeat(late)  # although all places are taken
            until(lambda: publisher._doormen[0].cut > before, "a stranger has gone for it")
            follow_a_heartbeat(late)
        follow_a_heartbeat(subscriber)
        assert subscriber.resyncs == 0
        for peer in silent:
            peer.close()


def test_a_flood_of_wrong_keys_holds_nobody_up(
    venue: ThreadVenue, ring: Ring, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatekeeper, "ANSWERS_A_TICK", 4)
    mine = ring.make("mine")
    strange = keys.load_pair(ring.make("strange", allow=False))
    with (
        publishing(venue, keys=ring.both) as publisher,
        ring.subscribe(publisher, mine) as subscriber,
        zmq.Context() as context,
    ):
        sockets = []
        for _ in range(40):
            stranger = context.socket(zmq.SUB)
            stranger.linger = 0
            stranger.subscribe(b"")
            stranger.curve_publickey = strange.public.encode()
            stranger.curve_secretkey = strange.secret.encode()
            stranger.curve_serverkey = keys.public_key(ring.directory / "venue.key").encode()
            stranger.connect(publisher.publish_endpoint)
            sockets.append(stranger)
        for rows in (order_flow(seed, 400)[low : low + 40] for low in range(0, 400, 40)):
            venue.send(rows)
            follow(subscriber, venue.event_seq)
        assert publisher._gate is not None
        gate = publisher._gate
        until(lambda: gate.refused >= 40, "every one is refused")
        assert not any(one.poll(0) for one in sockets)
        assert subscriber.resyncs == 0
        assert_books_equal(subscriber, venue.engine())
        for one in sockets:
            one.close()


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def test_a_pair_is_private_and_is_never_replaced(tmp_path: Path) -> None:
    secret = keys.make(tmp_path / "new", "mine")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    pair = keys.load_pair(secret)
    assert pair.secret not in repr(pair)
    assert pair.secret not in (tmp_path / "new" / "mine.key").read_text()
    with pytest.raises(TouchlineError, match=r"mine\.key is there already"):
        keys.make(tmp_path / "new", "mine")
    assert keys.load_pair(secret) == pair


def test_the_files_are_those_of_other_zeromq_programs(tmp_path: Path) -> None:
    pair = keys.load_pair(keys.make(tmp_path, "mine"))
    found = zmq.auth.load_certificate(tmp_path / "mine.key_secret")
    assert found == (pair.public.encode(), pair.secret.encode())
    _, theirs = zmq.auth.create_certificates(tmp_path, "theirs")
    os.chmod(theirs, 0o600)
    assert keys.load_pair(theirs).public == keys.public_key(tmp_path / "theirs.key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_secret_that_others_may_read_is_refused_by_name(tmp_path: Path, mode: int) -> None:
    secret = keys.make(tmp_path, "mine")
    secret.chmod(mode)
    with pytest.raises(TouchlineError, match=rf"{secret} may be read by others: chmod 600"):
        keys.load_pair(secret)


def test_what_is_no_pair_is_refused_by_name(tmp_path: Path) -> None:
    secret = keys.make(tmp_path, "mine")
    another = keys.make(tmp_path, "another")
    text = secret.read_text()
    pair, other = keys.load_pair(secret), keys.load_pair(another)
    wrong = {
        "": "holds no pair of keys",
        text.replace("secret-key", "secret"): "holds no pair of keys",
        text.replace(pair.secret, "short"): "not 40 characters",
        text.replace(pair.secret, "'" * 40): "not 40 characters",
        text.replace(pair.public, other.public): "not that of the secret one",
        "x" * (keys.FILE_BYTES_MAX + 1): "is longer than",
    }
    for written, reason in wrong.items():
        secret.write_text(written)
        with pytest.raises(TouchlineError, match=reason) as refusal:
            keys.load_pair(secret)
        assert pair.secret not in str(refusal.value)
    for path, reason in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(TouchlineError, match=reason):
            keys.load_pair(path)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a b", "x" * 33, "é", "a\n"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TouchlineError, match="is no name of a key"):
        keys.make(tmp_path, name)
    with pytest.raises(TouchlineError, match="is no name of a key"):
        keys.allow(tmp_path / "allowed", name, "0" * 40)
    assert not list(tmp_path.iterdir())


def test_a_public_key_is_itself_or_a_files(tmp_path: Path) -> None:
    public = keys.load_pair(keys.make(tmp_path, "mine")).public
    assert keys.public_key(public) == keys.public_key(tmp_path / "mine.key") == public
    for wrong in ("~" * 40, "x" * 39, str(tmp_path / "none"), str(tmp_path / "allowed")):
        with pytest.raises(TouchlineError):
            keys.public_key(wrong)


def test_key_and_server_key_belong_together() -> None:
    with pytest.raises(TypeError, match="belong together"):
        Subscriber(key="mine.key_secret")


def test_the_list_of_allowed_keys_refuses_what_it_can_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "allowed"
    first, second = (keys.load_pair(keys.make(tmp_path, name)).public for name in ("one", "two"))
    keys.allow(path, "one", first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name, key in (("one", second), ("two", first)):
        with pytest.raises(TouchlineError, match="one is allowed already"):
            keys.allow(path, name, key)
    keys.allow(path, "two", second)
    assert keys.read_allowed(path) == {first: "one", second: "two"}
    with pytest.raises(TouchlineError, match="does not allow 'three'; it allows one, two"):
        keys.revoke(path, "three")
    assert keys.revoke(path, "one") == first
    assert keys.read_allowed(path) == {second: "two"}
    path.chmod(0o620)
    with pytest.raises(TouchlineError, match="may be written by others"):
        keys.read_allowed(path)


@pytest.mark.parametrize(
    "text", ["key", "{0} one two", "short one", "{0} a/b", "{0} one\n{1} one", "{0} one\n{0} two"]
)
def test_a_line_that_allows_nobody_is_named(tmp_path: Path, text: str) -> None:
    publics = [keys.load_pair(keys.make(tmp_path, name)).public for name in ("one", "two")]
    path = tmp_path / "allowed"
    keys.allow(path, "before", keys.load_pair(keys.make(tmp_path, "three")).public)
    before = len(path.read_text().splitlines())
    with path.open("a") as file:
        file.write(text.format(*publics) + "\n")
    with pytest.raises(TouchlineError, match=rf"allowed:{before + text.count(chr(10)) + 1}: "):
        keys.read_allowed(path)


def test_a_venue_without_its_pair_says_which_file_is_wanted(tmp_path: Path) -> None:
    venue = ThreadVenue(tmp_path, publish__curve=True)
    with pytest.raises(TouchlineError, match=r"keys/venue\.key_secret: No such file"):
        publish.keys_of(venue.config)
    keys.make(venue.config.keys_dir, keys.VENUE)
    _, allowed = publish.keys_of(venue.config)
    assert list(allowed.names.values()) == [keys.VENUE]
