"""Every stub says what its extension module has at run time: names, parameters, members.

Type checkers see the .pyi alone, so nothing else notices when a shell and its stub part ways.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from harness import sources
from touchline.core.capacities import EngineCapacities
from touchline.core.messages import TimeInForce

STUBS_ROOT = sources.ROOT / "src"
STUBS = sorted((STUBS_ROOT / "touchline").rglob("*.pyi"))
SHELLS = {
    sources.module(path, sources.ROOT / "ext"): path
    for path in (sources.ROOT / "ext/touchline").rglob("*.pyx")
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(name: str) -> bool:
    return not name.startswith("_")


def stub_names(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module or class body of a stub declares, by name."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, Function | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
    return found


def own_names(dotted: str, module: Any) -> set[str]:
    """The public names a module defines: those it imports are somebody else's."""
    text = SHELLS[dotted].read_text()
    imports = re.findall(r"^from [\w.]+ import (?:\(([^)]*)\)|(.*))", text, re.MULTILINE)
    imported = {word for pair in imports for word in re.findall(r"\w+", " ".join(pair))}
    return {
        name
        for name, value in vars(module).items()
        if public(name) and name not in imported and not inspect.ismodule(value)
    }


def default_value(expression: str) -> str:
    """`64 << 20` and `67108864` are the same default."""
    names = {
        "__builtins__": {"float": float},
        "TimeInForce": TimeInForce,
        "_USUAL": EngineCapacities(),
    }
    return repr(eval(expression, names))


def stub_parameters(node: Function) -> list[tuple[str, str | None]]:
    """(name, default as written or None) of each parameter, `self` and `cls` left out."""
    arguments = node.args
    positional = arguments.posonlyargs + arguments.args
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, [*defaults, *arguments.defaults], strict=True))
    pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    if arguments.vararg is not None:
        pairs.append((arguments.vararg, None))
    return [
        (argument.arg, None if default is None else default_value(ast.unparse(default)))
        for argument, default in pairs
        if argument.arg not in ("self", "cls")
    ]


def own_parameters(function: Any) -> list[tuple[str, str | None]]:
    return [
        (name, None if parameter.default is parameter.empty else repr(parameter.default))
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "cls")
    ]


def cinit_parameters(dotted: str, class_name: str) -> list[tuple[str, str | None]]:
    """Of a cdef class's __cinit__, which has no signature at run time: read from the shell."""
    text = SHELLS[dotted].read_text()
    body = re.split(rf"cdef class {class_name}(?:\(\w+\))?:", text, maxsplit=1)[1]
    body = body.split("\ncdef class ", 1)[0]
    found = re.search(r"def __c?init__\(self(?:, )?(.*?)\):\n", body, re.DOTALL)
    words = [word.strip() for word in found[1].split(",")] if found else []
    pairs = [word.partition("=") for word in words if word and word != "*"]
    return [
        (
            name.replace("not None", "").split()[-1],
            default_value(default.strip()) if equals else None,
        )
        for name, equals, default in pairs
    ]


def check_function(node: ast.stmt, value: Any, where: str) -> list[str]:
    if not isinstance(node, Function):
        return [f"{where} is a function, not what the stub says"]
    if stub_parameters(node) == own_parameters(value):
        return []
    return [f"{where}: stub {stub_parameters(node)}, run time {own_parameters(value)}"]


def check_class(dotted: str, node: ast.ClassDef, value: type, where: str) -> list[str]:
    stub = stub_names(node.body)
    if issubclass(value, enum.Enum):
        members = {name for name in stub if public(name)} - {"fix"}
        return [] if members == set(value.__members__) else [f"{where}: members differ"]
    if issubclass(value, tuple):
        fields = tuple(name for name in stub if public(name))
        return [] if fields == getattr(value, "_fields", None) else [f"{where}: fields differ"]
    own = {name for name in vars(value) if public(name)}
    faults = [f"{where}: {name}" for name in own ^ {name for name in stub if public(name)}]
    if "__init__" in stub and isinstance(value.__init__, type(object.__init__)):
        constructor = stub["__init__"]
        assert isinstance(constructor, ast.FunctionDef)
        if stub_parameters(constructor) != cinit_parameters(dotted, node.name):
            faults.append(f"{where}.__init__: {cinit_parameters(dotted, node.name)} at run time")
    for name in own & stub.keys():
        member = inspect.getattr_static(value, name)
        if inspect.isdatadescriptor(member):
            decorated = getattr(stub[name], "decorator_list", [])
            if not isinstance(stub[name], ast.AnnAssign) and not decorated:
                faults.append(f"{where}.{name} is a property")
        elif callable(getattr(value, name)):
            faults += check_function(stub[name], getattr(value, name), f"{where}.{name}")
    return faults


def test_every_extension_module_has_a_stub() -> None:
    assert {sources.module(path, STUBS_ROOT) for path in STUBS} == SHELLS.keys()


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.stem)
def test_a_stub_says_what_the_module_has(path: Path) -> None:
    name_of_module = sources.module(path, STUBS_ROOT)
    module = importlib.import_module(name_of_module)
    stub = stub_names(ast.parse(path.read_text()).body)
    own = own_names(name_of_module, module)
    faults = [f"{name} is in one only" for name in own ^ {name for name in stub if public(name)}]
    for name in own & stub.keys():
        value, node = getattr(module, name), stub[name]
        if isinstance(value, type) and isinstance(node, ast.ClassDef):
            faults += check_class(name_of_module, node, value, f"{path.stem}.{name}")
        elif inspect.isroutine(value) or type(value).__name__ == "cython_function_or_method":
            faults += check_function(node, value, f"{path.stem}.{name}")
    assert not faults
