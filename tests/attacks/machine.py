"""A venue as its machine sees it: processes, memory, descriptors, a clock that is set, a power cut.

The clock and the disk are those of world.c, which is compiled for the venues that need it and put
before the C library in the gateway's process alone. The engine and its journal are left as they
are: a command is journalled before anyone is told of it.
"""

import contextlib
import mmap
import os
import resource
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.fix_venue import TESTS, PartsVenue
from touchline.config import Config


class Host:
    """A venue of harness/fix_venue.py, `descriptors` of which its gateway may have at most."""

    def __init__(self, config: Config, descriptors: int, clock: bool, power: bool) -> None:
        self._venue = PartsVenue(config)
        self._descriptors = descriptors
        self._directory = config.venue.data_dir.parent
        self._environment: dict[str, str] = {}
        self._off: mmap.mmap | None = None
        if clock or power:
            self._build_world()
        if clock:
            path = self._directory / "clock"
            path.write_bytes(bytes(8))
            with path.open("r+b") as file:
                self._off = mmap.mmap(file.fileno(), 8)
            self._environment["ATTACK_CLOCK"] = str(path)
        if power:
            self._durable.mkdir()
            self._environment["ATTACK_DURABLE"] = str(self._durable)

    @property
    def port(self) -> int:
        return self._venue.port

    @property
    def _log(self) -> Path:
        return self._directory / "gateway.log"

    @property
    def _durable(self) -> Path:
        return self._directory / "durable"

    def _build_world(self) -> None:
        library = self._directory / "world.so"
        source = TESTS / "attacks" / "world.c"
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
        subprocess.run(command, check=True)
        self._environment["LD_PRELOAD"] = str(library)

    def open(self) -> str:
        """Start engine and gateway; "" or why the gateway is not there."""
        venue = self._venue
        venue.launch("engine")
        assert venue.said("engine") == "ready"
        venue.set_up(venue.config)
        return self._gateway()

    def _gateway(self) -> str:
        with self._surroundings():
            self._venue.launch("gateway")
        said = self._venue.said("gateway")
        return "" if said == "ready" else f"the gateway does not start: {said or self.fate()}"

    @contextlib.contextmanager
    def _surroundings(self) -> Iterator[None]:
        """What a process that is launched now will inherit."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        if self._descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._descriptors, limits[1]))
        os.environ.update(self._environment)
        errors = os.dup(2)
        try:
            with self._log.open("ab") as log:
                os.dup2(log.fileno(), 2)
            yield
        finally:
            os.dup2(errors, 2)
            os.close(errors)
            for name in self._environment:
                del os.environ[name]
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    def shift_clock(self, seconds: float) -> None:
        """The gateway's time of day is off by this from now on."""
        assert self._off is not None
        self._off[:8] = struct.pack("=q", int(seconds * 1e9))

    def kill(self) -> None:
        """The gateway's process ends as if the kernel had wanted its memory."""
        self._venue.parts["gateway"].kill()

    def cut_power(self) -> str:
        """Everything stops at once, and of the gateway's files only what was synced is left.

        Started again; "" or why it is not there.
        """
        self._venue.end("gateway", signal.SIGKILL)
        self._venue.end("engine", signal.SIGKILL)
        kept = {path.name.replace("%", "/"): path for path in self._durable.iterdir()}
        fix_dir = Path(self._venue.config.fix_dir).resolve()
        for path in [path for path in fix_dir.rglob("*") if path.is_file()]:
            path.unlink()
        for name, path in kept.items():
            if Path(name).is_relative_to(fix_dir):
                shutil.copyfile(path, name)
        self._venue.launch("engine")
        assert self._venue.said("engine") == "ready"
        return self._gateway()

    def fate(self) -> str:
        """How the gateway ended; "" while it lives."""
        code = self._venue.parts["gateway"].poll()
        if code is None:
            return ""
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        words = self._log.read_text(errors="replace").strip().splitlines()[-1:]
        return ": ".join([f"the gateway died: {name}", *(line.strip()[:100] for line in words)])

    def memory_mb(self) -> float:
        """What the gateway holds now; peak_mb() begins anew."""
        with contextlib.suppress(OSError):
            Path(f"/proc/{self._pid}/clear_refs").write_text("5")
        return self._status_mb("VmRSS")

    def peak_mb(self) -> float:
        """The most the gateway held since memory_mb(); 0 when it is gone."""
        return self._status_mb("VmHWM")

    @property
    def _pid(self) -> int:
        return self._venue.parts["gateway"].pid

    def _status_mb(self, name: str) -> float:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
                if line.startswith(name):
                    return int(line.split()[1]) / 1024
        return 0.0

    def close(self) -> None:
        self._venue.close()
        if self._off is not None:
            self._off.close()
