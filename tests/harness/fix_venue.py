"""A venue for the FIX tests: engine and gateway, each a process of its own, over real sockets.

The test itself is the operator: it sends the set-up through lane 0 and may kill either process.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from harness.venue import Place
from harness.waiting import DEADLINE_S, free_ports, until
from touchline.config import USUAL_PERMISSIONS, Config
from touchline.control.supervisor.setup import read_journal, setup_commands
from touchline.core.messages import LANE_ADMIN
from touchline.runtime.bus import Bus

TESTS = Path(__file__).parents[1]
SYMBOLS = 400
_NUMBERS = count()


def venue_config(data_dir: Path, engine: str = "native", **changes: Any) -> Config:
    """Brokers of both versions, and who watches them; symbols S00 to S399, tick 0.05, lot 10."""
    sessions: list[dict[str, Any]] = [
        {"comp_id": "BROKER1", "accounts": ["ACC1", "ACC1B"]},
        {"comp_id": "BROKER2", "accounts": ["ACC2"]},
        {"comp_id": "OLD1", "begin_string": "FIX.4.2", "accounts": ["ACC3"]},
        {"comp_id": "OLD2", "begin_string": "FIX.4.2", "accounts": ["ACC4"], "password": "secret"},
        {"comp_id": "LOCKED", "accounts": ["ACC5"], "password": "secret"},
    ]
    if engine == "native":
        copies = {"permissions": ["drop-copy"]}
        told = {"permissions": [*USUAL_PERMISSIONS, "news"], "pending_reports": True}
        sessions += [
            {"comp_id": "WATCHER", "accounts": ["ACC1", "ACC1B", "ACC2"], **copies},
            {"comp_id": "OLD3", "begin_string": "FIX.4.2", "accounts": ["ACC3", "ACC4"], **copies},
            {"comp_id": "TOLD1", "accounts": ["ACC6"], **told},
            {"comp_id": "TOLD2", "begin_string": "FIX.4.2", "accounts": ["ACC7"], **told},
        ]
        sessions += [
            {"comp_id": f"{scope.upper()}{number}", "begin_string": version, "accounts": ["ACC6"]}
            | {"cl_ord_id_scope": scope}
            for scope in ("day", "open")
            for number, version in ((1, "FIX.4.4"), (2, "FIX.4.2"))
        ]
    values: dict[str, Any] = {
        "venue": {"name": f"fix{os.getpid()}-{next(_NUMBERS)}", "data_dir": str(data_dir)},
        "engine": {"instruments_max": 512, "orders_max": 4096},
        "fix": {"port": free_ports(1)[0], "engine": engine},
        "instruments": [
            {"symbol": f"S{n:02d}", "tick_size": "0.05", "lot_size": "10"} for n in range(SYMBOLS)
        ],
        "accounts": [{"name": n} for n in ("ACC1", "ACC1B", *(f"ACC{m}" for m in range(2, 8)))],
        "sessions": sessions,
    }
    return Config.model_validate(values | changes)


class PartsVenue(Place):
    """Engine and gateway of one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.port = config.fix.port
        self.bus_path, self.journal = config.bus_path, config.journal_dir
        self.parts: dict[str, subprocess.Popen[str]] = {}
        config.venue.data_dir.mkdir(parents=True, exist_ok=True)
        self._file = config.venue.data_dir / "config.json"
        self._file.write_text(config.model_dump_json())

    @property
    def fix_engine(self) -> str:
        """Which engine the gateway's sessions have."""
        return str(getattr(self.config.fix, "engine", "quickfix"))

    def start(self, part: str) -> str:
        """Start "engine" or "gateway"; what it said: "ready", or why it failed."""
        self.launch(part)
        return self.said(part)

    def launch(self, part: str) -> None:
        self.parts[part] = subprocess.Popen(
            [sys.executable, "-m", "harness.fix_part", part, str(self._file.absolute())],
            cwd=TESTS,
            stdout=subprocess.PIPE,
            text=True,
        )

    def said(self, part: str) -> str:
        output = self.parts[part].stdout
        assert output is not None
        return output.readline().strip()

    def open(self) -> None:
        """Start both at once: the gateway waits for the engine and for the set-up."""
        self.launch("engine")
        self.launch("gateway")
        assert self.said("engine") == "ready"
        self.set_up(self.config)
        assert self.said("gateway") == "ready"

    def restart(self) -> None:
        """Stop both in good order and start them again."""
        self.end("gateway")
        self.end("engine")
        self.launch("engine")
        self.launch("gateway")
        assert [self.said(part) for part in ("engine", "gateway")] == ["ready", "ready"]

    def change(self, config: Config) -> None:
        """Have the running gateway take up the sessions of this configuration."""
        self.config = config
        other = self._file.with_suffix(".new")
        other.write_text(config.model_dump_json())
        other.replace(self._file)

    def set_up(self, config: Config) -> None:
        """Send what the configuration asks for, and wait until it is done."""
        commands = setup_commands(config, read_journal(config.journal_dir))
        with Bus.attach(str(config.bus_path)) as bus:
            wanted = bus.status()["commands"] + len(commands)
            with bus.lane(LANE_ADMIN) as lane:
                lane.send(commands)
            until(lambda: bus.status()["commands"] >= wanted, "the set-up is journalled")

    def end(self, part: str, number: int = signal.SIGTERM) -> None:
        """Stop a part with a signal, and wait until it is gone."""
        process = self.parts.pop(part)
        process.send_signal(number)
        process.wait(DEADLINE_S)
        assert process.stdout is not None
        process.stdout.close()

    def close(self) -> None:
        for part in ("gateway", "engine"):
            if part in self.parts:
                self.end(part, signal.SIGKILL)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.config.bus_path)


@contextlib.contextmanager
def running_venue(data_dir: Path, engine: str = "native", **changes: Any) -> Iterator[PartsVenue]:
    venue = PartsVenue(venue_config(data_dir, engine, **changes))
    try:
        venue.open()
        yield venue
    finally:
        venue.close()
