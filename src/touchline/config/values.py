"""The kinds of values a configuration has, each checked on its own."""

from __future__ import annotations

import ipaddress
import zoneinfo
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from touchline.config.schedule import moment
from touchline.core.messages import TEXT_BYTES

NAME_BYTES = TEXT_BYTES
FixVersion = Literal["FIX.4.4", "FIX.4.2", "FIXT.1.1"]
Permission = Literal["orders", "market-data", "drop-copy", "trade-capture", "news"]
USUAL_PERMISSIONS: tuple[Permission, ...] = ("orders", "market-data", "trade-capture")


def _name(value: str) -> str:
    """A name as the journal can hold it: 1 to NAME_BYTES, printable, without blanks."""
    size = len(value.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= NAME_BYTES:
        raise ValueError(f"is {size} bytes long; allowed are 1 to {NAME_BYTES}")
    if not value.isprintable() or " " in value:
        raise ValueError("may not hold blanks or unprintable characters")
    return value


def _file_name(value: str) -> str:
    """A name that also becomes part of a file's name."""
    if not all(c.isascii() and (c.isalnum() or c in "._-") for c in _name(value)):
        raise ValueError("may hold only letters, digits and the characters . _ -")
    return value


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        below = 1 << (value.bit_length() - 1)
        raise ValueError(f"should be a power of two, such as {below} or {2 * below}")
    return value


def _host(value: str) -> str:
    """An address or a host's name; IPv6 may stand in brackets, and is kept without."""
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if ":" in bare or bare != value:
        try:
            ipaddress.IPv6Address(bare)
        except ValueError as error:
            raise ValueError(f"is not an address: {error}") from None
    elif not bare or not all(c.isascii() and (c.isalnum() or c in "-._") for c in bare):
        raise ValueError("should be an IPv4 or IPv6 address or a host's name")
    return bare


def _exact(value: object) -> object:
    """Refuse a float where an exact decimal number is wanted."""
    if isinstance(value, float):
        raise ValueError("is a binary floating-point number; write it as text or Decimal")
    return value


def _network(value: str) -> str:
    """An address, or a network as 10.1.0.0/16."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"is no address and no network: {error}") from None


def _moment(value: str) -> str:
    """A time of day, HH:MM or HH:MM:SS, with a day of the week before it or without."""
    moment(value)
    return value


def _zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("is no time zone this machine knows, such as Europe/London") from None
    return value


def _username(value: str) -> str:
    """A user's name as SoupBinTCP carries it."""
    if not (1 <= len(value) <= 6 and value.isascii() and value.isalnum()):
        raise ValueError("should be 1 to 6 letters and digits")
    return value


def _password(value: str) -> str:
    """A password as SoupBinTCP carries it."""
    if not (1 <= len(value) <= 10 and value.isascii() and value.isprintable() and " " not in value):
        raise ValueError("should be 1 to 10 printable ASCII characters without blanks")
    return value


def _mpid(value: str) -> str:
    """A firm as OUCH carries it."""
    if not (1 <= len(value) <= 4 and value.isascii() and value.isalnum() and value.isupper()):
        raise ValueError("should be 1 to 4 capital letters and digits")
    return value


def _line(value: str) -> str:
    """Where packets go: an IPv4 address, or an IPv6 one in brackets, and a port."""
    host, colon, port = value.rpartition(":")
    try:
        address = ipaddress.ip_address(host[1:-1] if host.startswith("[") else host)
        if not colon or (address.version == 6) != host.startswith("["):
            raise ValueError
        if not 1 <= int(port) <= 65535:
            raise ValueError
    except ValueError:
        raise ValueError("should be an address and a port, as 239.192.0.1:26400") from None
    return value


def _argon2(value: str) -> str:
    if not value.startswith("$argon2id$"):
        raise ValueError("is no argon2id hash; `touchline sessions hash` makes one")
    return value


Name = Annotated[str, AfterValidator(_name)]
FileName = Annotated[str, AfterValidator(_file_name)]
Number = Annotated[Decimal, BeforeValidator(_exact), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
Limit = Annotated[Number, Field(ge=0)]
Slots = Annotated[int, AfterValidator(_power_of_two)]
Host = Annotated[str, AfterValidator(_host)]
Network = Annotated[str, AfterValidator(_network)]
Moment = Annotated[str, AfterValidator(_moment)]
Zone = Annotated[str, AfterValidator(_zone)]
Username = Annotated[str, AfterValidator(_username)]
ShortPassword = Annotated[str, AfterValidator(_password)]
Mpid = Annotated[str, AfterValidator(_mpid)]
Line = Annotated[str, AfterValidator(_line)]
Argon2 = Annotated[str, AfterValidator(_argon2)]
Port = Annotated[int, Field(ge=1, le=65535)]
