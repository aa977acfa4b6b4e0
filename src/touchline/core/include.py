"""Where the C headers and the static library are, for programs that build against the core.

They are installed beside the extension modules, not beside this file: an editable install keeps
the two apart.
"""

from __future__ import annotations

from pathlib import Path

import touchline.core.engine


def _installed(folder: str, file: str) -> str:
    path = Path(touchline.core.engine.__file__).parents[1] / folder
    if not (path / file).is_file():
        raise FileNotFoundError(f"{path / file} does not exist: touchline is not installed whole")
    return str(path)


def get_include() -> str:
    """The folder for a compiler's -I: a program includes "touchline/core/engine.h" and others.

    Raises FileNotFoundError when the package was built in place, without its headers.
    """
    return _installed("include", "touchline/core/engine.h")


def get_library_dir() -> str:
    """The folder of libtouchline_core.a, for a linker's -L. Raises as get_include does."""
    return _installed("lib", "libtouchline_core.a")
