"""The package as others get it: sdist, the wheel built from it, and what builds against the wheel.

Everything happens in an environment of its own, which has the installed wheel in front of this
environment's other packages, so nothing of the working tree can stand in for what is missing.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness import sources
from harness.builds import run
from touchline.fix.script import scripts

DOWNSTREAM = sources.ROOT / "tests/downstream"
PIP = ["-m", "pip", "--disable-pip-version-check", "--no-input"]
NO_NETWORK = ["--no-build-isolation", "--no-deps", "--no-index"]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the working tree."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ".",
        cwd=sources.ROOT)  # fmt: skip
    (archive,) = folder.glob("touchline-*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """The wheel, built from nothing but the source distribution."""
    folder = sdist.parent / "wheel"
    run(sys.executable, *PIP, "wheel", *NO_NETWORK, "-C", "cmake.define.TOUCHLINE_LTO=OFF",
        "-w", folder, sdist, cwd=sdist.parent)  # fmt: skip
    (built,) = folder.glob("touchline-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path) -> Path:
    """The interpreter of an environment into which the wheel was installed."""
    folder = wheel.parent / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=wheel.parent)
    (site,) = folder.glob("lib/python3*/site-packages")
    # A plain path line appends this environment's packages; its own .pth files are not read.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    made = folder / "bin/python"
    run(made, *PIP, "install", *NO_NETWORK, "--ignore-installed", wheel, cwd=wheel.parent)
    return made


def test_the_sdist_holds_what_a_build_and_a_test_run_need(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {sources.name(path) for path in sources.files() if sources.top(path) != ".ci"}
    assert needed - names == set()
    assert {name for name in names if name.endswith((".so", ".pyc"))} == set()


def test_the_wheel_holds_modules_stubs_definitions_headers_and_the_library(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    ext = sources.ROOT / "ext/touchline"
    shells = [path.relative_to(ext).with_suffix("") for path in ext.rglob("*.pyx")]
    assert len(shells) > 9
    assert {f"touchline/{shell}{suffix}" for shell in shells} <= names
    assert {f"touchline/{shell}.pyi" for shell in shells} <= names
    assert {f"touchline/{path.relative_to(ext)}" for path in ext.rglob("*.pxd")} <= names
    core = ("book", "engine", "levels", "messages", "orders", "risk")
    public = [f"core/{name}.h" for name in core]
    public += [f"runtime/{name}.h" for name in ("bus", "journal", "runner")]
    assert {f"touchline/include/touchline/{file}" for file in public} <= names
    libraries = ["libtouchline_core.a", "pkgconfig/touchline.pc"]
    libraries.append("cmake/touchline/touchline-config.cmake")
    assert {"touchline/py.typed", *(f"touchline/lib/{file}" for file in libraries)} <= names
    for folder in ("control", "fix"):
        for path in sources.files():
            if sources.top(path) == folder:
                assert f"touchline/{sources.name(path)}" in names
    assert {f"touchline/fix/conformance/{path.name}" for path in scripts()} <= names
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"touchline"}


def test_the_installed_package_trades(python: Path, tmp_path: Path) -> None:
    where = run(python, "-c", "import touchline; print(touchline.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(python.parent.parent)
    version = run(python.parent / "touchline", "--version", cwd=tmp_path)
    assert "0.1.0" in version


def test_a_cython_package_builds_against_it_and_runs(python: Path, tmp_path: Path) -> None:
    source = shutil.copytree(DOWNSTREAM / "cython_package", tmp_path / "source")
    run(python, *PIP, "install", *NO_NETWORK, source, cwd=tmp_path)
    program = """
import numpy as np
import touchline
from touch_recorder import queues, recorder

commands = np.zeros(4, touchline.COMMAND)
commands["type"] = [ord(c) for c in "daDD"]
commands["side"] = [0, 0, ord("1"), ord("2")]
commands["ord_type"], commands["time_in_force"] = ord("2"), ord("0")
commands["price"], commands["qty"] = [0, 0, 99, 103], 5
print(recorder.touch_after_each(touchline.Engine(), commands).tolist())
book = touchline.Book()
for qty in (3, 1, 2):
    book.enter(touchline.Side.BUY, 10, qty)
print(queues.queue_at_best(book, touchline.Side.BUY), queues.queue_at_best(book, ord("2")))
"""
    assert run(python, "-c", program, cwd=tmp_path).splitlines() == [
        "[[0, 0], [0, 0], [99, 0], [99, 103]]",
        "[3, 1, 2] []",
    ]


def test_a_c_program_links_the_library_and_runs(python: Path, tmp_path: Path) -> None:
    where = "import touchline as t; print(t.get_include(), t.get_library_dir())"
    include, library = run(python, "-c", where, cwd=tmp_path).split()
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    program = tmp_path / "program"
    run(os.environ.get("CC", "gcc"), *flags, f"-I{include}", DOWNSTREAM / "c_program/main.c",
        f"-L{library}", "-ltouchline_core", "-pthread", "-o", program, cwd=tmp_path)  # fmt: skip
    assert run(program, cwd=tmp_path).splitlines() == [
        "1 d qty=0 price=0",
        "2 a qty=0 price=0",
        "3 a qty=0 price=0",
        "4 0 qty=10 price=101",
        "5 0 qty=4 price=101",
        "6 F qty=4 price=101",
        "best ask 101",
        "7 0 qty=4 price=99",
        "side 1: 4 at 99, orders 1",
        "side 2: 6 at 101, orders 1",
    ]
