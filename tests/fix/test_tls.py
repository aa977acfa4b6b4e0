"""TLS at the native engine's door: who speaks it is let in, who does not harms nobody."""

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.certificates import Authority, Certificate
from harness.fix_client import Closed, FixClient
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import free_ports, until

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")


class Pki:
    """The venue's authority with its files, and another that nobody trusts."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory, "authority")
        self.venue = self.authority.sign("venue", "venue.example")
        self.broker = self.authority.sign("broker", "broker.example")
        self.stranger = Authority(directory, "strangers").sign("stranger", "broker.example")

    def client(self, own: Certificate | None = None, most: str = "TLSv1_3") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.root.certificate))
        context.maximum_version = ssl.TLSVersion[most]
        if own is not None:
            context.load_cert_chain(own.certificate, own.key)
        return context


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@contextlib.contextmanager
def tls_venue(data_dir: Path, pki: Pki, **more: object) -> Iterator[PartsVenue]:
    port = free_ports(1)[0]
    files = {"tls_certificate": str(pki.venue.certificate), "tls_key": str(pki.venue.key)}
    fix = {"port": port, "logon_timeout_s": 1.0, **files, **more}
    with running_venue(data_dir, fix=fix) as venue:
        yield venue


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[PartsVenue]:
    with tls_venue(tmp_path_factory.mktemp("venue"), pki) as venue:
        yield venue


def turned_away(port: int, tls: ssl.SSLContext) -> bool:
    """Is BROKER2 closed out? With TLS 1.3 an alert may come with the handshake or later."""
    try:
        with FixClient(port, "BROKER2", tls=tls) as client:
            client.send("A", "98=0", "108=30")
            client.receive()
    except (Closed, OSError):
        return True
    return False


def test_a_broker_logs_on_through_tls_13(venue: PartsVenue, pki: Pki) -> None:
    with FixClient(venue.port, "BROKER1", tls=pki.client()) as client:
        assert client.logon()["35"] == "A"
        client.nothing_more("encrypted")


def test_many_answers_come_whole_and_in_order(venue: PartsVenue, pki: Pki) -> None:
    """Far more than one record and than the sockets hold: nothing is read while it is sent."""
    with FixClient(venue.port, "BROKER1", tls=pki.client()) as client:
        client.logon()
        mark = "m" * 500
        for start in range(0, 4000, 50):
            numbers = range(start, start + 50)
            client.send_bytes(b"".join(client.message("1", f"112={mark}{n}") for n in numbers))
        for number in range(4000):
            assert client.receive()["112"] == f"{mark}{number}"


def test_who_does_not_speak_tls_is_closed_and_harms_nobody(venue: PartsVenue, pki: Pki) -> None:
    with FixClient(venue.port, "BROKER1", tls=pki.client()) as client:
        client.logon()
        with FixClient(venue.port, "BROKER2") as plain:
            plain.send("A", "98=0", "108=30")
            client.nothing_more("while it is there")
            with pytest.raises((Closed, ValueError)):
                plain.receive()
        client.nothing_more("after it is gone")


def test_a_silent_handshake_has_a_deadline(venue: PartsVenue, pki: Pki) -> None:
    with (
        socket.create_connection(("127.0.0.1", venue.port), 30.0) as silent,
        FixClient(venue.port, "BROKER1", tls=pki.client()) as client,
    ):
        assert client.logon()["35"] == "A"
        assert silent.recv(1) == b""
        client.nothing_more("nobody else was held up")


def test_tls_12_needs_a_setting(venue: PartsVenue, pki: Pki, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        FixClient(venue.port, "BROKER1", tls=pki.client(most="TLSv1_2"))
    with (
        tls_venue(tmp_path, pki, tls_1_2=True) as old,
        FixClient(old.port, "BROKER1", tls=pki.client(most="TLSv1_2")) as client,
    ):
        assert client.logon()["35"] == "A"


def test_openssl_agrees(venue: PartsVenue, pki: Pki) -> None:
    place = f"127.0.0.1:{venue.port}"
    root = str(pki.authority.root.certificate)
    told = subprocess.run(
        ["openssl", "s_client", "-connect", place, "-CAfile", root, "-brief"],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "TLSv1.3" in told.stdout + told.stderr
    assert "Verification: OK" in told.stdout + told.stderr


def test_without_the_right_client_certificate_nobody_gets_in(tmp_path: Path, pki: Pki) -> None:
    root = str(pki.authority.root.certificate)
    with (
        tls_venue(tmp_path, pki, tls_client_ca=root, tls_client="required") as venue,
        FixClient(venue.port, "BROKER1", tls=pki.client(pki.broker)) as client,
    ):
        assert client.logon()["35"] == "A"
        assert turned_away(venue.port, pki.client())
        assert turned_away(venue.port, pki.client(pki.stranger))
        client.nothing_more("nobody else is here")


def test_a_renewed_certificate_is_taken_up_and_sessions_go_on(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    directory.mkdir()
    pki = Pki(directory)
    with (
        tls_venue(tmp_path / "venue", pki) as venue,
        FixClient(venue.port, "BROKER1", tls=pki.client()) as client,
    ):
        client.logon()
        before = ssl.get_server_certificate(("127.0.0.1", venue.port))
        fresh = pki.authority.sign("fresh", "venue.example")
        fresh.key.replace(pki.venue.key)
        fresh.certificate.replace(pki.venue.certificate)

        def renewed() -> bool:
            return ssl.get_server_certificate(("127.0.0.1", venue.port)) != before

        until(renewed, "the new certificate is shown")
        client.nothing_more("the session goes on")
