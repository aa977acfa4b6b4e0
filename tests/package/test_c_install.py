"""What `cmake --install` puts down, used by programs that know nothing of the source tree.

Headers alone in C and C++, a program found by pkg-config, a project that finds the CMake package;
in a prefix of its own, moved elsewhere, and staged. Nothing of it may need Python.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness import sources
from harness.builds import run

DOWNSTREAM = sources.ROOT / "tests/downstream"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
C11 = [os.environ.get("CC", "gcc"), "-std=c11", *WARNINGS, "-Wconversion"]
CPP17 = [os.environ.get("CXX", "g++"), "-std=c++17", *WARNINGS]
TRADES = [
    "1 d qty=0 price=0",
    "2 a qty=0 price=0",
    "3 a qty=0 price=0",
    "4 0 qty=10 price=101",
    "5 0 qty=4 price=101",
    "6 F qty=4 price=101",
]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build folder of a source tree that has neither Python nor Cython in it."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "clone").mkdir()
    shutil.copy(sources.ROOT / "CMakeLists.txt", folder / "clone")
    no_python = shutil.ignore_patterns("*.py*", "*.pxd")
    shutil.copytree(sources.ROOT / "ext", folder / "clone/ext", ignore=no_python)
    run("cmake", "-B", "build", "-DTOUCHLINE_LTO=OFF", cwd=folder / "clone")
    run("cmake", "--build", "build", "-j2", cwd=folder / "clone")
    return folder / "clone/build"


def installed(build: Path, prefix: Path) -> Path:
    run("cmake", "--install", build, "--prefix", prefix, cwd=prefix.parent)
    return prefix


@pytest.fixture(scope="module")
def prefix(build: Path) -> Path:
    return installed(build, build.parent.parent / "prefix")


def pkg_config(prefix: Path, *words: str, libdir: str = "lib") -> list[str]:
    """What pkg-config says of touchline in this prefix. CI has it; elsewhere it may be missing."""
    if shutil.which("pkg-config") is None:
        assert "CI" not in os.environ, "pkg-config is missing"
        pytest.skip("pkg-config is missing: apt-get install pkg-config")
    where = prefix / libdir / "pkgconfig"
    return run("pkg-config", *words, "touchline", cwd=prefix, PKG_CONFIG_PATH=where).split()


def trades(prefix: Path, folder: Path, libdir: str = "lib") -> list[str]:
    """The first lines of the C program built by what pkg-config says."""
    flags = pkg_config(prefix, "--cflags", "--libs", libdir=libdir)
    program = folder / "program"
    run(*C11, DOWNSTREAM / "c_program/main.c", *flags, "-o", program, cwd=folder)
    return run(program, cwd=folder).splitlines()[: len(TRADES)]


def test_every_public_header_compiles_alone_as_c_and_as_cpp(prefix: Path, tmp_path: Path) -> None:
    include = prefix / "include"
    headers = sorted(str(path.relative_to(include)) for path in include.rglob("*.h"))
    assert {"touchline/core/engine.h", "touchline/runtime/bus.h"} <= set(headers)
    for header in headers:
        for compiler, suffix in ((C11, "c"), (CPP17, "cpp")):
            file = tmp_path / f"alone.{suffix}"
            # Twice: a header guards itself.
            file.write_text(f'#include "{header}"\n#include "{header}"\n')
            run(*compiler, f"-I{include}", "-c", file, "-o", tmp_path / "alone.o", cwd=tmp_path)


def test_headers_of_the_library_s_inside_are_not_installed(prefix: Path) -> None:
    names = {path.name for path in (prefix / "include").rglob("*.h")}
    assert not names & {"ahead.h", "state.h", "commands.h", "stage.h", "clock.h"}


def test_the_library_is_ordinary_code_under_names_of_its_own(prefix: Path) -> None:
    library = prefix / "lib/libtouchline_core.a"
    assert ".gnu.lto" not in run("readelf", "--wide", "--sections", library, cwd=prefix)
    symbols = run("nm", "--defined-only", "--extern-only", library, cwd=prefix).split("\n")
    names = [line.split()[-1] for line in symbols if len(line.split()) == 3]
    assert "tl_engine_step" in names
    assert [name for name in names if not name.startswith("tl_")] == []


@pytest.mark.parametrize("link", ["-fno-lto", "-flto", "-static", "-shared"])
def test_the_library_links_however_the_program_does(
    prefix: Path, tmp_path: Path, link: str
) -> None:
    position = ["-fPIC"] if link == "-shared" else []
    run(*C11, *position, link, f"-I{prefix}/include", DOWNSTREAM / "c_program/main.c",
        f"-L{prefix}/lib", "-ltouchline_core", "-pthread", "-o", "program",
        cwd=tmp_path)  # fmt: skip


def test_a_c_program_builds_by_what_pkg_config_says(prefix: Path, tmp_path: Path) -> None:
    assert trades(prefix, tmp_path) == TRADES
    assert pkg_config(prefix, "--modversion") == ["0.1.0"]


def test_a_cpp_project_finds_the_package_and_trades(prefix: Path, tmp_path: Path) -> None:
    found = f"-DCMAKE_PREFIX_PATH={prefix}"
    run("cmake", "-S", DOWNSTREAM / "cpp_program", "-B", tmp_path, found, cwd=tmp_path)
    run("cmake", "--build", tmp_path, cwd=tmp_path)
    lines = run(tmp_path / "trader", tmp_path / "bus", cwd=tmp_path).splitlines()
    assert lines == [*TRADES, "best ask 101, best bid 0", "bus: events 0, lanes 2"]


def test_a_project_that_wants_another_version_is_told(prefix: Path, tmp_path: Path) -> None:
    project = tmp_path / "CMakeLists.txt"
    project.write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(other LANGUAGES C)\n"
        "find_package(touchline 0.2 CONFIG)\n"
        'file(WRITE said "${touchline_FOUND} ${touchline_CONSIDERED_VERSIONS}")\n'
    )
    run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=tmp_path)
    assert (tmp_path / "said").read_text() == "0 0.1.0"


def test_what_is_installed_can_be_moved(build: Path, tmp_path: Path) -> None:
    moved = installed(build, tmp_path / "first").rename(tmp_path / "second")
    assert trades(moved, tmp_path) == TRADES
    run("cmake", "-S", DOWNSTREAM / "cpp_program", "-B", "b", f"-DCMAKE_PREFIX_PATH={moved}",
        cwd=tmp_path)  # fmt: skip
    run("cmake", "--build", "b", cwd=tmp_path)
    for file in moved.rglob("*"):
        if file.suffix in (".pc", ".cmake"):
            assert str(tmp_path) not in file.read_text()
            assert str(build.parent) not in file.read_text()


def test_a_packager_stages_it_under_another_libdir(build: Path, tmp_path: Path) -> None:
    libdir = "lib/some-linux-gnu"
    run("cmake", "-S", build.parent, "-B", tmp_path / "build", f"-DCMAKE_INSTALL_LIBDIR={libdir}",
        "-DTOUCHLINE_LTO=OFF",
        "-DCMAKE_INSTALL_PREFIX=/opt/touchline", cwd=tmp_path)  # fmt: skip
    run("cmake", "--build", tmp_path / "build", "-j2", cwd=tmp_path)
    run("cmake", "--install", tmp_path / "build", cwd=tmp_path, DESTDIR=tmp_path / "stage")
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["opt"]
    staged = tmp_path / "stage/opt/touchline"
    assert trades(staged, tmp_path, libdir) == TRADES
    run("cmake", "-S", DOWNSTREAM / "cpp_program", "-B", "b", f"-DCMAKE_PREFIX_PATH={staged}",
        f"-Dtouchline_DIR={staged}/{libdir}/cmake/touchline", cwd=tmp_path)  # fmt: skip
    run("cmake", "--build", "b", cwd=tmp_path)


def test_the_c_build_asks_for_no_python(build: Path) -> None:
    cache = (build / "CMakeCache.txt").read_text()
    assert "CMAKE_PROJECT_NAME:STATIC=touchline" in cache
    assert [line for line in cache.splitlines() if line.startswith(("Python", "SKBUILD"))] == []
