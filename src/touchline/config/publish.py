"""The section of published market data, and whom it may be told without keys."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from touchline.config.base import Section
from touchline.config.values import Host, Port
from touchline.errors import ConfigError

SOCKET_PATH_BYTES_MAX = 107  # sun_path of a local socket, with its end


class PublishSection(Section):
    """[publish]: market data over ZeroMQ."""

    enabled: bool = True
    host: Host = "127.0.0.1"
    pub_port: Port = 5556
    snapshot_port: Port = 5557
    ipc_dir: Path | None = None
    curve: bool = False
    plain_anywhere: bool = False
    history_mb: int = Field(default=1024, ge=0, le=1 << 22)
    depth_levels: int = Field(default=10, ge=1, le=1000)

    def ipc_path(self, venue: str, port: str) -> Path | None:
        """The local socket beside a port ("pub" or "snapshot"); None without `ipc_dir`."""
        return None if self.ipc_dir is None else self.ipc_dir / f"touchline-{venue}.{port}"


def publish_problems(publish: PublishSection) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Who could read without a key."""
    if not publish.enabled:
        return
    if not publish.curve and not publish.plain_anywhere and not is_loopback(publish.host):
        yield (
            ("publish", "host"),
            f"{publish.host!r} can be reached by others: curve = true asks for keys, "
            "plain_anywhere = true lets everybody read",
        )


def anchored(publish: PublishSection, venue: str, ipc_dir: Path) -> PublishSection:
    """The section with its directory whole; ConfigError when a socket's path gets too long."""
    whole = publish.model_copy(update={"ipc_dir": ipc_dir})
    path = whole.ipc_path(venue, "snapshot")
    if path is not None and len(bytes(path)) > SOCKET_PATH_BYTES_MAX:
        raise ConfigError(
            f"publish.ipc_dir: {path} is longer than the {SOCKET_PATH_BYTES_MAX} bytes that the "
            "path of a local socket may have"
        )
    return whole


def is_loopback(host: str) -> bool:
    """Does this machine alone reach this address? Of names `localhost` alone is believed."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
