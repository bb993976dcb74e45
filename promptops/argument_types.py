"""Whether an argument is of the type that its annotation names, asked once a call has failed.

Annotations are read as they are written, since many of their names are imported for the type
checker alone: those are looked up where the module imports them from. What is not known fits.
"""

from __future__ import annotations

import ast
import inspect
import numbers
import os
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

__all__ = ["misfit_type"]

_WIDER: dict[object, tuple[type, ...]] = {  # numpy's numbers count too
    int: (numbers.Integral,),
    float: (numbers.Real,),
    complex: (numbers.Complex,),
}


def misfit_type(function: Callable[..., object], arguments: Mapping[str, object]) -> str | None:
    """One sentence about the first argument that is not of the type of its annotation, or None.

    Args:
        function: what was called.
        arguments: parameter -> what was given, without `self`.
    """
    written = inspect.get_annotations(function)
    names = _Names(function)
    for name, value in arguments.items():
        if name not in written or _fits(value, written[name], names):
            continue
        kind = "None" if value is None else _with_article(type(value).__name__)
        wanted = written[name]
        wanted = wanted if isinstance(wanted, str) else inspect.formatannotation(wanted)
        shown = " or ".join(part.strip() for part in wanted.split("|"))
        return f"{function.__name__}() got {kind} as {name}; expected {shown}."
    return None


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


class _Names:
    """What the names of a function's annotations mean in its module."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._globals: Mapping[str, object] = getattr(function, "__globals__", {})
        self._imports: dict[str, ast.ImportFrom] | None = None

    def of(self, name: str) -> Any:
        """The type or alias, or None if it is not known."""
        if name in self._globals:
            return self._globals[name]
        if (builtin := getattr(sys.modules["builtins"], name, None)) is not None:
            return builtin
        if self._imports is None:
            self._imports = self._read()
        found = self._imports.get(name)
        if found is None:
            return None
        package = str(self._globals.get("__package__") or "").split(".")
        base = package[: len(package) - found.level + 1] if found.level else []
        module = sys.modules.get(".".join([*base, *filter(None, [found.module])]))
        original = next(each.name for each in found.names if name in (each.asname, each.name))
        return getattr(module, original, None)

    def _read(self) -> dict[str, ast.ImportFrom]:
        module = sys.modules.get(str(self._globals.get("__name__")))
        try:
            tree = ast.parse(inspect.getsource(module)) if module else ast.Module([], [])
        except (OSError, TypeError, SyntaxError):  # no source: a notebook, a zip
            return {}
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        return {each.asname or each.name: node for node in imports for each in node.names}


def _fits(value: object, written: object, names: _Names) -> bool:
    """Whether a value is of a type; an annotation that cannot be read fits everything."""
    if isinstance(written, str):
        try:
            return _fits_node(value, ast.parse(written.strip(), mode="eval").body, names)
        except (SyntaxError, ValueError):
            return True
    origin = get_origin(written)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one, names) for one in get_args(written))
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in get_args(written))
    kind = origin or written
    if kind is None or kind is type(None):
        return value is None
    if not isinstance(kind, type) or kind is object:
        return True
    if issubclass(kind, os.PathLike):
        return isinstance(value, os.PathLike)
    try:
        return isinstance(value, _WIDER.get(kind, kind))
    except TypeError:  # a protocol that cannot be asked
        return True


def _fits_node(value: object, node: ast.expr, names: _Names) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _fits_node(value, node.left, names) or _fits_node(value, node.right, names)
    if isinstance(node, ast.Constant):
        return value is None if node.value is None else _fits(value, node.value, names)
    if isinstance(node, ast.Subscript):
        if isinstance(node.value, ast.Name) and node.value.id == "Literal":
            meant = [each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant)]
            return any(type(value) is type(one) and value == one for one in meant)
        return _fits_node(value, node.value, names)
    found = names.of(node.id) if isinstance(node, ast.Name) else None
    return True if found is None else _fits(value, found, names)
