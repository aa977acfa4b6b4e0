"""What the gateway must know, and the same as QuickFIX wants it told.

Taken once from the venue's configuration; frozen values from then on. QuickFIX reads its data
dictionaries from files: those its package installs are used as they are, except that a FIX 4.2
Logon may also carry Username(553) and Password(554), so that dictionary is written out amended.
"""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from touchline.config import SESSIONS_MAX, USUAL_PERMISSIONS, SessionSection
from touchline.config.schedule import Schedule
from touchline.errors import SessionError
from touchline.fix.versions import FIX42, VERSIONS

if TYPE_CHECKING:
    from touchline.config import Config

ALWAYS = Schedule(ZoneInfo("UTC"))
LOGON_CREDENTIALS = (("553", "Username"), ("554", "Password"))


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """One counterparty; the first account serves requests without Account(1)."""

    comp_id: str
    begin_string: str
    accounts: tuple[str, ...]
    password: str | None = field(default=None, repr=False)
    password_hash: str | None = field(default=None, repr=False)
    enabled: bool = True
    addresses: tuple[str, ...] = ()
    certificate: str | None = None  # common name of the client's
    time_decimals: int = 3
    permissions: tuple[str, ...] = USUAL_PERMISSIONS
    cancel_on: str = "off"  # logout, disconnect, both: whose leaving ends his orders
    cancel_grace_s: int = 0
    throttle: int = 0  # messages a second; 0: any number
    pending_reports: bool = False  # it is told of requests that are with the engine
    cl_ord_id_scope: str = "ever"  # ever, day, open: for how long a ClOrdID is used up
    schedule: Schedule = ALWAYS

    @classmethod
    def from_section(cls, section: SessionSection) -> SessionSettings:
        return cls(
            section.comp_id,
            section.begin_string,
            tuple(section.accounts),
            section.password,
            section.password_hash,
            section.enabled,
            section.addresses,
            section.certificate,
            section.time_decimals,
            section.permissions,
            section.cancel_on_disconnect,
            section.cancel_grace_s,
            section.throttle or 0,
            section.pending_reports,
            section.cl_ord_id_scope,
            Schedule.read(section.time_zone, section.open, section.close, section.reset),
        )


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What the acceptor offers over TLS."""

    certificate: Path
    key: Path
    client_ca: Path | None
    client: str  # any, asked, required
    tls_1_2: bool


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Everything the gateway needs; `fix_dir` holds its stores and logs."""

    host: str
    port: int
    comp_id: str
    heartbeat_s: int
    sessions: tuple[SessionSettings, ...]
    fix_dir: Path
    journal_dir: Path
    bus_path: Path
    engine: str = "native"
    busy_poll: bool = False
    cpu: int | None = None
    message_bytes_max: int = 16_384
    logon_timeout_s: float = 5.0
    newcomers_max: int = 1024
    store_mb_max: int = 0
    tls: TlsSettings | None = None
    durable: bool = False  # what is sent is on the disk first, as the journal is
    instruments_max: int = 16  # the engine's
    accounts_max: int = 64
    orders_max: int = 65_536
    price_blocks_max: int = 4_096
    log_rotate_mb: int = 64
    log_keep: int = 8

    @classmethod
    def from_config(cls, config: Config) -> GatewaySettings:
        """The gateway's share of the venue's configuration; SessionError when it makes no sense."""
        sessions = tuple(SessionSettings.from_section(s) for s in config.sessions)
        if not sessions:
            raise SessionError(
                "sessions: none is configured; add [[sessions]] or set fix.enabled = false"
            )
        if len(sessions) > SESSIONS_MAX:
            raise SessionError(f"sessions: {len(sessions)} are configured; at most {SESSIONS_MAX}")
        cpu = config.fix.cpu
        if cpu is not None and cpu not in os.sched_getaffinity(0):
            raise SessionError(f"fix.cpu: cannot run on processor {cpu}")
        return cls(
            host=config.fix.host,
            port=config.fix.port,
            comp_id=config.fix.comp_id,
            heartbeat_s=config.fix.heartbeat_s,
            sessions=sessions,
            fix_dir=Path(config.fix_dir),
            journal_dir=Path(config.journal_dir),
            bus_path=Path(config.bus_path),
            engine=config.fix.engine,
            busy_poll=config.fix.busy_poll,
            cpu=cpu,
            message_bytes_max=config.fix.message_bytes_max,
            logon_timeout_s=config.fix.logon_timeout_s,
            newcomers_max=config.fix.newcomers_max,
            store_mb_max=config.fix.store_mb_max,
            tls=_tls(config),
            durable=config.engine.sync == "batch",
            instruments_max=config.engine.instruments_max,
            accounts_max=config.engine.accounts_max,
            orders_max=config.engine.orders_max,
            price_blocks_max=config.engine.price_blocks_max,
            log_rotate_mb=config.log.rotate_mb,
            log_keep=config.log.keep,
        )

    @property
    def store_dir(self) -> Path:
        return self.fix_dir / "store"

    @property
    def log_dir(self) -> Path:
        return self.fix_dir / "log"

    @property
    def native_dir(self) -> Path:
        return self.fix_dir / "native"


def _tls(config: Config) -> TlsSettings | None:
    """None: connections are not encrypted."""
    fix = config.fix
    if fix.tls_certificate is None or fix.tls_key is None:
        return None
    return TlsSettings(
        fix.tls_certificate, fix.tls_key, fix.tls_client_ca, fix.tls_client, fix.tls_1_2
    )


def dictionary(begin_string: str, dictionary_dir: Path) -> Path:
    """The data dictionary of a FIX version; SessionError when QuickFIX did not install it."""
    installed = Path(sys.prefix) / "share" / "quickfix" / VERSIONS[begin_string].dictionary
    if not installed.is_file():
        raise SessionError(
            f"{installed} is missing: install the package quickfix into {sys.prefix}, "
            f"which brings the data dictionary of {begin_string}"
        )
    if begin_string != FIX42:
        return installed
    dictionary_dir.mkdir(parents=True, exist_ok=True)
    amended = dictionary_dir / installed.name
    _with_credentials(installed).write(amended)
    return amended


def _with_credentials(path: Path) -> ElementTree.ElementTree[ElementTree.Element[str]]:
    """A dictionary whose Logon may carry a user name and a password, as FIX 4.3's may."""
    tree = ElementTree.parse(path)
    fields = tree.find("fields")
    logon = tree.find("messages/message[@msgtype='A']")
    if fields is None or logon is None:
        raise SessionError(f"{path} is not a QuickFIX data dictionary")
    for number, name in LOGON_CREDENTIALS:
        ElementTree.SubElement(fields, "field", number=number, name=name, type="STRING")
        ElementTree.SubElement(logon, "field", name=name, required="N")
    return tree


def quickfix_settings(settings: GatewaySettings, inner_port: int) -> str:
    """QuickFIX's settings as text. `inner_port` is where it listens until the door takes over.

    A session never ends by itself (NonStopSession) and never resets its sequence numbers, so that
    the store holds every report until its broker has fetched it.
    """
    lines = [
        "[DEFAULT]",
        "ConnectionType=acceptor",
        "NonStopSession=Y",
        f"SocketAcceptPort={inner_port}",
        "SocketNodelay=Y",
        "SocketReuseAddress=Y",
        f"FileStorePath={settings.store_dir}",
        f"FileLogPath={settings.log_dir}",
        "UseDataDictionary=Y",
        "ValidateUserDefinedFields=N",
        "ResetOnLogon=N",
        "ResetOnLogout=N",
        "ResetOnDisconnect=N",
        "PersistMessages=Y",
        f"SenderCompID={settings.comp_id}",
    ]
    for session in settings.sessions:
        path = dictionary(session.begin_string, settings.fix_dir / "dictionaries")
        lines += [
            "[SESSION]",
            f"BeginString={session.begin_string}",
            f"TargetCompID={session.comp_id}",
            f"DataDictionary={path}",
        ]
    return "\n".join(lines) + "\n"
