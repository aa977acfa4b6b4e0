"""Commands that a test runs to build something, as a user of the package would type them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(*command: object, cwd: Path, **variables: object) -> str:
    """The standard output of a command that must succeed, with this environment's programs first.

    `variables` are set in the command's environment.
    """
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {name: str(value) for name, value in variables.items()}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
