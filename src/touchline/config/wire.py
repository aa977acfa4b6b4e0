"""The sections of the binary protocols."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from touchline.config.base import Section
from touchline.config.values import (
    Argon2,
    Host,
    Line,
    Mpid,
    Name,
    Network,
    Port,
    ShortPassword,
    Username,
)


class WireSection(Section):
    """[wire]: binary order entry, and with feed_a the binary feed."""

    enabled: bool = False
    host: Host = "127.0.0.1"
    ouch_port: Port = 9880
    feed_a: Line | None = None
    feed_b: Line | None = None
    interface: str | None = None
    ttl: int = Field(default=1, ge=0, le=255)
    mtu: int = Field(default=1500, ge=576, le=9000)
    rerequest_port: Port = 9881
    rerequests_per_s: int = Field(default=1000, ge=1, le=1_000_000)
    glimpse_port: Port = 9882
    glimpse_timeout_s: float = Field(default=60.0, ge=1, le=86_400)
    wait: Literal["park", "spin"] = "park"
    stamps: Literal["off", "software", "hardware"] = "off"
    cpu: int | None = Field(default=None, ge=0)
    feed_cpu: int | None = Field(default=None, ge=0)
    login_timeout_s: float = Field(default=5.0, gt=0, le=60)
    newcomers_max: int = Field(default=64, ge=1, le=4096)
    spool_mb_max: int = Field(default=65_536, ge=1, le=1 << 22)
    session_spool_mb_max: int = Field(default=4096, ge=1, le=1 << 22)


class WireSessionSection(Section):
    """[[wire_sessions]]: one user of OUCH; the first of `firms` is that of orders without one."""

    username: Username
    firms: dict[Mpid, Name] = Field(min_length=1, max_length=16)  # by MPID: an account
    enabled: bool = True
    password: ShortPassword | None = Field(default=None, repr=False)
    password_hash: Argon2 | None = Field(default=None, repr=False)
    addresses: tuple[Network, ...] = ()
    cancel_on_disconnect: Literal["off", "logout", "disconnect", "both"] = "off"
    cancel_grace_s: int = Field(default=0, ge=0, le=86_400)
    throttle: int | None = Field(default=None, ge=1, le=10_000_000)
