"""The checked build stops at a broken state; the one that ships takes it for what it is.

`make test-checked` runs this, and the model, against an extension compiled to look.
"""

import signal
import subprocess
import sys

import touchline.core.engine

CHECKED = "build/checked" in touchline.core.engine.__file__
RESTORE = """
from core.test_extremes import CAPACITIES, MARK, OPENING
from harness.snapshots import with_net
from reference.engine import Reference
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND
import numpy

engine = Engine(**CAPACITIES._asdict())
for cmd in OPENING:
    engine.submit(numpy.frombuffer(bytes(cmd), dtype=COMMAND))
engine.restore(with_net(engine.snapshot(), 1, MARK, MARK + 1))
"""


def test_lots_that_nobody_sold_stop_the_checked_build() -> None:
    path = f"import sys; sys.path[:0] = {sys.path!r}"
    site = ["-S"] if sys.flags.no_site else []
    program = [sys.executable, *site, "-c", path + RESTORE]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if CHECKED:
        assert done.returncode == -signal.SIGABRT, done.stderr
        assert "net == 0" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
