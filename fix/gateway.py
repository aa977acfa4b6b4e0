"""The gateway, whichever engine its sessions have: what the supervisor runs.

`native` sessions are in C and need nothing else; `quickfix` is QuickFIX behind a door of our own.
The module of an engine is imported when it is asked for.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, cast

from touchline.fix.settings import GatewaySettings, SessionSettings

if TYPE_CHECKING:
    from touchline.config import Config

Tell = Callable[[dict[str, Any]], None]
Sessions = tuple[SessionSettings, ...]
ENGINES = {
    "native": ("touchline.fix.native", "NativeGateway"),
    "quickfix": ("touchline.fix.acceptor", "Gateway"),
}


class Gateway(Protocol):
    """An open gateway; `address` is where it listens."""

    @property
    def address(self) -> tuple[str, int]: ...

    def serve(self, fresh: Callable[[], Sessions | None] = ...) -> None:
        """Watch until told to stop; raises what made it fail."""


def opened(
    config: Config, stop: threading.Event, tell: Tell = lambda facts: None
) -> AbstractContextManager[Gateway]:
    """The gateway as configured, open within `with`."""
    module, name = ENGINES[config.fix.engine]
    made = getattr(importlib.import_module(module), name)
    settings = GatewaySettings.from_config(config)
    return cast(AbstractContextManager[Gateway], made(settings, stop, tell))


def run(
    config: Config,
    stop: threading.Event,
    tell: Tell = lambda facts: None,
    fresh: Callable[[], Config | None] = lambda: None,
) -> int:
    """Serve brokers as configured until `stop` is set; 0 then.

    `tell` hears {"progress": n, "of": m} in commands of the journal while it opens, {"ready": True}
    when it listens, {"beat": n} at every look around, {"sessions": [...]} who is logged on.
    `fresh` gives a changed configuration once: its accounts and passwords hold for the sessions
    that are here from then on, and {"taken_up": True} says so.

    Raises OSError when the world fails (the port is in use, the store can not be written, the bus
    is gone) and TouchlineError when a file or a setting is wrong; a caller may start it again.
    """
    try:
        with opened(config, stop, tell) as gateway:
            tell({"ready": True})
            gateway.serve(lambda: _sessions(fresh()))
    except OSError:
        if not stop.is_set():
            raise
    return 0


def _sessions(config: Config | None) -> Sessions | None:
    return None if config is None else GatewaySettings.from_config(config).sessions
