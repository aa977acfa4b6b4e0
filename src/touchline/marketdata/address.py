"""Addresses of published market data: a host and a port as ZeroMQ wants them."""

from __future__ import annotations


def tcp_address(host: str, port: int | str) -> str:
    """`tcp://HOST:PORT`, with the brackets that an IPv6 address needs: tcp://[::1]:5556.

    `host` is a name or an IPv4 or IPv6 address, in brackets or not; a port of "*" lets the system
    choose one.
    """
    bare = host.removeprefix("[").removesuffix("]")
    return f"tcp://[{bare}]:{port}" if ":" in bare else f"tcp://{bare}:{port}"
