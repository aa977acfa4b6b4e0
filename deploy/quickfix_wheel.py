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
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


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
            for job in concurrent.futures.as_completed(jobs):
                job.result()
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
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def build(version: str, target: pathlib.Path) -> pathlib.Path:
    """Compile quickfix and move the wheel into `target` in one step, so that none is half there."""
    say(f"quickfix {version} comes as C++ source. Compiling it on {os.cpu_count()} cores;")
    say("this takes a few minutes, once: the wheel is kept for every later environment.")
    done = threading.Event()
    start = time.monotonic()

    def show_progress() -> None:
        while not done.wait(15):
            say(f"  still compiling quickfix, {time.monotonic() - start:.0f} s so far")

    threading.Thread(target=show_progress, daemon=True).start()
    try:
        with tempfile.TemporaryDirectory(prefix="quickfix-") as scratch:
            source = fetch_source(version, pathlib.Path(scratch))
            subprocess.run(
                [sys.executable, os.path.abspath(__file__), "--compile"], cwd=source, check=True,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
            (wheel,) = (source / "dist").glob("*.whl")
            shutil.copy(wheel, target / (wheel.name + ".part"))
            os.replace(target / (wheel.name + ".part"), target / wheel.name)
    finally:
        done.set()
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
