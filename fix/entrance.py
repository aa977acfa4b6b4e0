"""The port brokers connect to, and who comes in by it: the same for both engines.

The acceptor in C looks at newcomers; what is asked about their Logons is answered here. Belongs to
the gateway's own thread.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import socket

from touchline.errors import SessionError
from touchline.fix.policy import CLOSE, Policy
from touchline.fix.settings import GatewaySettings, SessionSettings, TlsSettings
from touchline.wire.fix_server import FixServer, Question, Tls

LOG = logging.getLogger("touchline.fix")
LOGON_BYTES_MAX = 8192
SPARE_DESCRIPTORS = 128
NEWCOMERS_MIN = 16


class Entrance:
    """Binds the port at once, so that one in use is told early. `address` is where it is;
    `sessions` who may come, by their numbers in the journal.

    Raises OSError for the port, SessionError for a certificate that is not what it should be.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.sessions: dict[int, SessionSettings] = {}
        self._policy = Policy(settings.heartbeat_s, FixServer.monotonic_s)
        self._settings = settings.tls
        self._tls = None if settings.tls is None else _context(settings.tls)
        self._seen = _stamps(settings.tls)
        self._listener = bound(settings.host, settings.port)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]

    def close(self) -> None:
        """Let go of the port, if it is not the server's by now."""
        self._listener.close()

    def listen(self, server: FixServer) -> None:
        """From now on connections come in; the port is the server's."""
        try:
            server.listen(self._listener.fileno(), self._tls)
        except OSError as error:
            raise no_listening(*self.address, error) from error
        self._listener.detach()
        LOG.info("listening for FIX on %s", shown(*self.address))

    def answer(self, server: FixServer, question: Question | None) -> None:
        """The verdict on a Logon, if one is asked about."""
        if question is None:
            return
        configured = self.sessions.get(question.session)
        refusal: str | None = CLOSE
        try:
            if configured is not None:
                refusal = self._policy.refusal(configured, question)
        except Exception:
            LOG.exception("a Logon could not be judged")
        name = configured.comp_id if configured else "?"
        origin = shown(question.address, question.port)
        if refusal is None:
            LOG.info("logon: %s from %s", name, origin)
        else:
            LOG.warning("logon of %s from %s refused: %s", name, origin, refusal or "silently")
        server.verdict(question.ticket, refusal)

    def live(self, server: FixServer) -> list[str]:
        """CompIDs of the sessions that are logged on, in order."""
        return sorted(
            configured.comp_id
            for number, configured in self.sessions.items()
            if (status := server.session_status(number)) and status.state in ("on", "leaving")
        )

    def renew_certificate(self, *, whatever: bool = False) -> None:
        """Read the certificate anew when its files have changed, or in any case."""
        stamps = _stamps(self._settings)
        if self._tls is None or (stamps == self._seen and not whatever):
            return
        self._seen = stamps
        try:
            self._tls.reload()
            LOG.info("the certificate %s was read anew", self._tls.certificate)
        except OSError as error:
            LOG.warning("the certificate stays as it was: %s", error.strerror)


def bound(host: str, port: int) -> socket.socket:
    """A socket that is to listen there; OSError that names the place when it can not be had."""
    try:
        family, _, _, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise no_listening(host, port, error) from error
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(place)
    except OSError as error:
        found.close()
        raise no_listening(host, port, error) from error
    return found


def no_listening(host: str, port: int, error: OSError) -> OSError:
    """What to tell when the port can not be had."""
    reason = error.strerror or str(error)
    return OSError(error.errno, f"cannot listen for FIX on {shown(host, port)}: {reason}")


def shown(host: str, port: int) -> str:
    """An address as people write it: IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def newcomers(wanted: int, sessions: int, each: int = 2) -> int:
    """How many newcomers there are descriptors for, when a session has `each`.

    Raises SessionError when there are not even enough for the sessions.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = each * sessions + wanted + SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY:
        return wanted
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    left = max(soft, most) - each * sessions - SPARE_DESCRIPTORS
    if left >= wanted:
        return wanted
    if left < NEWCOMERS_MIN:
        raise SessionError(
            f"sessions: {sessions} need {each * sessions + NEWCOMERS_MIN + SPARE_DESCRIPTORS} "
            f"descriptors, and the system allows {hard} (ulimit -n)"
        )
    LOG.warning("fix.newcomers_max is %d instead of %d: descriptors are short", left, wanted)
    return left


def _context(tls: TlsSettings) -> Tls:
    try:
        return Tls(
            tls.certificate,
            tls.key,
            client_ca=tls.client_ca,
            client=tls.client,
            tls_1_2=tls.tls_1_2,
        )
    except OSError as error:
        raise SessionError(f"fix.tls_certificate: {error.strerror}") from error


def _stamps(tls: TlsSettings | None) -> tuple[int, ...]:
    """Another value once one of the files was written anew."""
    stamps = []
    for path in (tls.certificate, tls.key, tls.client_ca) if tls is not None else ():
        with contextlib.suppress(OSError):
            stamps.append(path.stat().st_mtime_ns if path is not None else 0)
    return tuple(stamps)
