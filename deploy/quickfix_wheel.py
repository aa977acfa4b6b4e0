"""Build the quickfix wheel once, on every core, and keep it in the user's cache.

quickfix is published as source only and spends minutes in the compiler. setuptools compiles one
file after another; this script hands the files to one compiler per core, the largest first, prints
a line every few seconds, and leaves the wheel where the next call finds it:

    python deploy/quickfix_wheel.py 1.16.0     prints the wheel's path on the last line of stdout

It must run under the Python that will import quickfix, with setuptools and wheel installed.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import importlib
import os
import pathlib
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

PROGRESS_S = 15.0


def cache_dir() -> pathlib.Path:
    """Where finished wheels are kept: one folder per interpreter and platform."""
    root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    tag = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    return pathlib.Path(root) / "touchline" / "wheels" / tag


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Hold the cache for one build: a second one waits and then finds the wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another make on this machine that is compiling quickfix.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def compile_on_all_cores() -> None:
    """Run setup.py of the current folder with a compiler that takes its files side by side."""
    importlib.import_module("setuptools")  # installs the distutils that setup.py will use
    from distutils.ccompiler import CCompiler

    def compile_all(
        self: Any,
        sources: Any,
        output_dir: Any = None,
        macros: Any = None,
        include_dirs: Any = None,
        debug: Any = 0,
        extra_preargs: Any = None,
        extra_postargs: Any = None,
        depends: Any = None,
    ) -> Any:
        macros, objects, extra_postargs, pp_opts, build = self._setup_compile(
            output_dir, macros, include_dirs, sources, depends, extra_postargs
        )
        cc_args = self._get_cc_args(pp_opts, debug, extra_preargs)
        compile_one: Callable[..., None] = self._compile
        largest_first = sorted(build, key=lambda obj: -os.path.getsize(build[obj][0]))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [
                pool.submit(compile_one, obj, *build[obj], cc_args, extra_postargs, pp_opts)
                for obj in largest_first
            ]
            for count, job in enumerate(concurrent.futures.as_completed(jobs), start=1):
                job.result()
                print(count, len(jobs), file=sys.__stdout__, flush=True)
        return objects

    CCompiler.compile = compile_all  # type: ignore[method-assign]
    sys.argv = ["setup.py", "-q", "bdist_wheel"]
    runpy.run_path("setup.py", run_name="__main__")


def fetch_source(version: str, folder: pathlib.Path) -> pathlib.Path:
    """Download and unpack the source distribution; return its folder."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "quickfix",
         "--no-build-isolation", "-d", str(folder), f"quickfix=={version}"],
        check=True,
    )  # fmt: skip
    (archive,) = folder.glob("quickfix-*.tar.gz")
    shutil.unpack_archive(archive, folder)
    return folder / archive.name.removesuffix(".tar.gz")


def show_progress(compiler: subprocess.Popen[str], start: float) -> None:
    """A line every few seconds, until the compiler has closed its output."""
    lines: list[str] = []

    def read() -> None:
        assert compiler.stdout is not None
        for line in compiler.stdout:
            if re.fullmatch(r"\d+ \d+\n", line):
                lines[:] = [line]

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while reader.is_alive():
        reader.join(PROGRESS_S)
        count, of = lines[-1].split() if lines else ("0", "?")
        say(f"  {count} of {of} source files compiled, {time.monotonic() - start:.0f} s so far")


def build(version: str, target: pathlib.Path) -> pathlib.Path:
    """Compile quickfix and move the wheel into `target` in one step, so that none is half there."""
    say(f"quickfix {version} comes as C++ source. Compiling it on {os.cpu_count()} cores;")
    say("this takes a few minutes, once: the wheel is kept for every later environment.")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quickfix-") as scratch:
        source = fetch_source(version, pathlib.Path(scratch))
        with open(source / "compiler.log", "w+") as log:
            compiler = subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), "--compile"],
                cwd=source,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            show_progress(compiler, start)
            if compiler.wait() != 0:
                log.seek(0)
                say("".join(log.readlines()[-30:]))
                raise SystemExit("quickfix did not compile; the compiler's last words are above")
        (wheel,) = (source / "dist").glob("*.whl")
        shutil.copy(wheel, target / (wheel.name + ".part"))
        os.replace(target / (wheel.name + ".part"), target / wheel.name)
    say(f"  quickfix compiled in {time.monotonic() - start:.0f} s")
    return target / wheel.name


def main() -> int:
    if sys.argv[1:] == ["--compile"]:
        compile_on_all_cores()
        return 0
    version = sys.argv[1]
    with alone(cache_dir()):
        found = sorted(cache_dir().glob(f"quickfix-{version}-*.whl"))
        wheel = found[0] if found else build(version, cache_dir())
    print(wheel)
    return 0


if __name__ == "__main__":
    sys.exit(main())
