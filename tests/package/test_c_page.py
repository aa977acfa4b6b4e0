"""docs/c.md as written: its C blocks are one program that prints what the page says, its C++ block
compiles, and its commands and CMake lines install the library and build that program with it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from harness import sources
from harness.builds import run

TEXT = (sources.ROOT / "docs/c.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(TEXT) if name == language]


def program() -> str:
    """The C blocks: what they include first, the rest in main."""
    code = "".join(blocks("c"))
    includes = "".join(re.findall(r"^#include .*\n", code, re.MULTILINE))
    body = re.sub(r"^#include .*\n", "", code, flags=re.MULTILINE)
    return f"{includes}\nint main(void)\n{{\n{body}return 0;\n}}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, the page's program beside it, and the library installed as the page says."""
    made = tmp_path_factory.mktemp("page")
    (made / "clone").mkdir()
    shutil.copy(sources.ROOT / "CMakeLists.txt", made / "clone")
    shutil.copytree(sources.ROOT / "ext", made / "clone/ext")
    (made / "trade.c").write_text(program())
    run("sh", "-e", "-c", blocks("sh")[0], cwd=made / "clone", PREFIX=made / "prefix")
    return made


def printed() -> str:
    """What the page says its C blocks print, one after the other."""
    said = re.findall(r"^prints\n\n```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(said) == 5
    return "".join(said)


def test_every_block_of_the_page_is_of_a_kind_that_is_tried_here() -> None:
    names = [name for name, _ in BLOCK.findall(TEXT)]
    assert set(names) == {"c", "cpp", "cmake", "sh", ""}
    assert (names.count(""), names.count("sh")) == (TEXT.count("\nprints\n"), 2)


def test_the_c_blocks_print_what_the_page_says_under_sanitizers(folder: Path) -> None:
    run(os.environ.get("CC", "gcc"), "-std=c11", *WARNINGS, "-fsanitize=address,undefined", "-g",
        "trade.c", "-Iprefix/include", "-Lprefix/lib", "-ltouchline_core", "-pthread",
        "-o", "checked", cwd=folder)  # fmt: skip
    assert run(folder / "checked", cwd=folder) == printed()


def test_the_line_with_pkg_config_builds_it(folder: Path) -> None:
    if shutil.which("pkg-config") is None:
        assert "CI" not in os.environ, "pkg-config is missing"
        pytest.skip("pkg-config is missing: apt-get install pkg-config")
    where = folder / "prefix/lib/pkgconfig"
    run("sh", "-e", "-c", blocks("sh")[1], cwd=folder, PKG_CONFIG_PATH=where)
    assert run(folder / "trade", cwd=folder) == printed()


def test_the_cmake_lines_build_it(folder: Path) -> None:
    project = folder / "project"
    project.mkdir()
    shutil.copy(folder / "trade.c", project)
    head = "cmake_minimum_required(VERSION 3.20)\nproject(trade LANGUAGES C)\n"
    (project / "CMakeLists.txt").write_text(head + blocks("cmake")[0])
    run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}", cwd=project)
    run("cmake", "--build", "build", cwd=project)
    assert run(project / "build/trade", cwd=project) == printed()


def test_a_tree_of_its_own_has_the_same_target(folder: Path) -> None:
    project = folder / "tree"
    project.mkdir()
    shutil.copy(folder / "trade.c", project)
    head = "cmake_minimum_required(VERSION 3.20)\nproject(trade LANGUAGES C)\n"
    found = f"add_subdirectory({folder / 'clone'} touchline)\n"
    lines = blocks("cmake")[0].replace("find_package(touchline 0.1 CONFIG REQUIRED)\n", found)
    assert found in lines
    (project / "CMakeLists.txt").write_text(head + lines)
    run("cmake", "-B", "build", "-DTOUCHLINE_LTO=OFF", cwd=project)
    run("cmake", "--build", "build", "-j2", cwd=project)
    assert run(project / "build/trade", cwd=project) == printed()


def test_the_cpp_block_compiles(folder: Path) -> None:
    body = "".join(blocks("cpp"))
    file = folder / "block.cpp"
    file.write_text(
        f'#include "touchline/core/engine.h"\ntl_command made()\n{{\n{body}return order;\n}}\n'
    )
    run(os.environ.get("CXX", "g++"), "-std=c++17", *WARNINGS, "-Iprefix/include", "-c", file,
        cwd=folder)  # fmt: skip
