"""The core by address: signatures as the header has them, and a strategy that numba compiles."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import sys
from types import ModuleType

import numpy as np
import pytest

from harness import sources
from touchline.core.addresses import function_pointers
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, LEVEL, Side
from touchline.core.pointers import ADDRESS, SIGNATURES, function
from touchline.data import flow

HEADER = (sources.ROOT / "ext/touchline/core/engine.h").read_text()
QUOTER = sources.ROOT / "tests/downstream/numba_strategy/quoter.py"


def declared(name: str) -> tuple[str, list[str]]:
    """What engine.h says a function returns, and its parameters."""
    found = re.search(rf"^([\w ]+?) \**{name}\((.*?)\);", HEADER, re.MULTILINE | re.DOTALL)
    assert found, f"engine.h has no {name}"
    return found[1], [" ".join(text.split()) for text in found[2].split(",")]


def c_type(declaration: str) -> object:
    """The ctypes type of a parameter or result; an address for pointers and arrays."""
    if "*" in declaration or "[" in declaration:
        return ADDRESS
    word = declaration.removeprefix("const ").split()[0]
    if word == "size_t":
        return ctypes.c_size_t
    return None if word == "void" else getattr(ctypes, f"c_{word.removesuffix('_t')}")


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_the_headers(name: str) -> None:
    returned, parameters = declared(name)
    wanted = (c_type(returned), *map(c_type, parameters))
    assert SIGNATURES[name] == wanted


def test_every_function_pointer_has_a_signature() -> None:
    assert function_pointers().keys() == SIGNATURES.keys()
    assert len(set(function_pointers().values())) == len(SIGNATURES)


def test_stepping_by_address_is_stepping() -> None:
    made = flow.generate("normal", 300, seed=5)
    engine, twin = Engine(), Engine()
    commands = np.concatenate([made.setup.view(np.uint64), made.commands.view(np.uint64)])
    step, step_batch = function("tl_engine_step"), function("tl_engine_step_batch")
    sink = engine.event_sink()
    at = commands.ctypes.data
    for _ in range(100):
        sink[2] = 0
        step(engine.address, at, sink.ctypes.data)
        at += 64
    rest = len(commands) // 8 - 100
    sink[2] = 0
    done = step_batch(engine.address, at, rest, sink.ctypes.data, len(engine.event_slots()))
    assert done == rest
    batch = commands.view(COMMAND)
    twin.submit(batch[:100])
    assert engine.events().tobytes() == twin.submit(batch[100:]).tobytes()
    assert function("tl_engine_hash")(engine.address) == twin.state_hash()
    levels = np.zeros(5, LEVEL)
    count = function("tl_engine_depth")(engine.address, 0, Side.BUY, levels.ctypes.data, 5)
    assert levels[:count].tolist() == twin.depth(0, Side.BUY, 5).tolist()


def test_the_sink_keeps_its_engine_alive() -> None:
    sink = Engine().event_sink()
    assert sink.tolist()[1:] == [len(Engine().event_slots()) - 1, 0]


def quoter(monkeypatch: pytest.MonkeyPatch, compiled: bool) -> ModuleType:
    """The example, with numba or as plain Python."""
    if compiled:
        pytest.importorskip("numba")
    else:
        monkeypatch.setitem(sys.modules, "numba", None)
    spec = importlib.util.spec_from_file_location("quoter", QUOTER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "numba"])
def test_the_numba_example_trades_what_the_engine_says(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = quoter(monkeypatch, compiled)
    made = flow.generate("normal", 3_000, seed=5, accounts=8)
    maker = 8
    engine = Engine()
    engine.submit(flow.setup_commands(1, 9, limits=False))
    bought, sold = example.run(engine, made.commands, maker, flow.START_TICKS, 3, 1 << 20)
    assert min(bought, sold) > 0
    assert engine.position(maker, 0)[0] == bought - sold
