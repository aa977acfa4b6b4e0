"""Addresses a venue listens on: whether somebody else has them, and whether ours are open yet."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from touchline.config import Config
from touchline.control.supervisor.part import listening
from touchline.errors import TouchlineError

_LISTEN = "0A"


class PortTaken(TouchlineError):
    """An address can not be listened on."""

    exit_code = 5


def shown(host: str, port: int) -> str:
    """An address as people write it: IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refuse_taken_ports(config: Config, names: list[str]) -> None:
    """Say which key names a port that somebody else listens on, before anything starts."""
    for name in names:
        for key, host, port in listening(config, name):
            try:
                family, _, _, _, address = socket.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
                )[0]
                with socket.socket(family, socket.SOCK_STREAM) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(address)
            except OSError as error:
                where = f"{key}: cannot listen on {shown(host, port)}"
                raise PortTaken(f"{where}: {error.strerror}") from error


def listens(port: int) -> bool:
    """Does anybody listen on this port? Looked up, not tried: a try would look like a broker."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and fields[1].endswith(f":{wanted}"):
                    return True
    return False
