"""`Any` in what the public doors take and return: `python -m tests.structure.public_types`.

Computed from the syntax trees of measure.py. A door is a module whose `__all__` users import. What
counts is the annotation of every parameter, result and attribute of its functions and classes and
of the promptops classes that these inherit from; `Any` counts under another name (an alias) too,
and so does a container without arguments, which is one of `Any`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tests.structure.api_page import DOORS
from tests.structure.measure import Module, modules

BARE = frozenset(("dict", "list", "set", "frozenset", "tuple", "Callable", "Mapping"))
BARE |= frozenset(("Sequence", "Iterable", "Iterator", "MutableMapping", "Awaitable"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
# What `request()` returns is unpacked into a provider's client, `create(**prompt.request(...))`:
# type checkers accept that of a dict of `Any` only, for every parameter has a type of its own.
UNPACKED = frozenset(("request", "to_request", "chat_request"))


def public_any(found: dict[str, Module], doors: Sequence[str] = DOORS) -> list[str]:
    """The places of `Any` in the annotations of the doors, each as door.name.method: annotation."""
    listed = []
    for door in doors:
        for name in _exported(found[door]):
            module, node = _defined(found, door, name)
            if node is not None:
                listed += [f"{door}.{name}{text}" for text in _faults(found, module, node)]
    return sorted(set(listed))


def _exported(module: Module) -> list[str]:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those below an `if` among them."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _statements([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _statements(node.body)


def _defined(found: dict[str, Module], place: str, name: str) -> tuple[str, ast.stmt | None]:
    """The module and statement that define a name as `place` sees it; None outside promptops."""
    module = found[place]
    imported: tuple[str, str] | None = None
    for node in _statements(module.tree.body):
        if isinstance(node, (ast.ClassDef, Function)) and node.name == name:
            return place, node
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        if isinstance(target, ast.Name) and target.id == name:
            return place, node
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    imported = _source(module, node), alias.name
    if imported is None or imported[0] not in found:
        return place, None
    return _defined(found, *imported)


def _source(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _faults(found: dict[str, Module], place: str, node: ast.stmt) -> Iterator[str]:
    if isinstance(node, Function):
        yield from _of_function(found, place, node, "")
    elif isinstance(node, ast.ClassDef):
        for base in node.bases:
            of = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(of, ast.Name):
                where, above = _defined(found, place, of.id)
                if isinstance(above, ast.ClassDef):
                    yield from _faults(found, where, above)
        for part in node.body:
            if isinstance(part, Function) and _is_public(part.name):
                yield from _of_function(found, place, part, f".{part.name}")
                if part.name == "__init__":
                    yield from _attributes(found, place, part)
            elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                yield from _of_attribute(found, place, part.target.id, part.annotation)
    elif isinstance(node, ast.AnnAssign) and _hides(found, place, node.annotation):
        yield f": {ast.unparse(node.annotation)}"


def _is_public(name: str) -> bool:
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def _attributes(found: dict[str, Module], place: str, made: Function) -> Iterator[str]:
    for node in ast.walk(made):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            yield from _of_attribute(found, place, node.target.attr, node.annotation)


def _of_attribute(
    found: dict[str, Module], place: str, name: str, annotation: ast.expr
) -> Iterator[str]:
    if _is_public(name) and not _unpacked(name, annotation) and _hides(found, place, annotation):
        yield f".{name}: {ast.unparse(annotation)}"


def _unpacked(name: str, annotation: ast.expr) -> bool:
    return name in UNPACKED and ast.unparse(annotation) == "dict[str, Any]"


def _of_function(found: dict[str, Module], place: str, node: Function, name: str) -> Iterator[str]:
    args = node.args
    taken = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    for arg in taken:
        if arg is not None and arg.annotation and _hides(found, place, arg.annotation):
            yield f"{name}({arg.arg}: {ast.unparse(arg.annotation)})"
    given = node.returns
    if given and not _unpacked(node.name, given) and _hides(found, place, given):
        yield f"{name} -> {ast.unparse(given)}"


def _hides(
    found: dict[str, Module], place: str, value: ast.AST, seen: frozenset[str] = frozenset()
) -> bool:
    """Whether an annotation holds `Any`, in itself or by the alias that a name of it is."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return _hides(found, place, ast.parse(value.value, mode="eval").body, seen)
    filled = {id(node.value) for node in ast.walk(value) if isinstance(node, ast.Subscript)}
    for node in ast.walk(value):
        text = node.value if isinstance(node, ast.Constant) and node is not value else None
        if isinstance(text, str) and text.isidentifier() and _hides(found, place, node, seen):
            return True
        if not isinstance(node, ast.Name):
            continue
        if node.id == "Any" or (node.id in BARE and id(node) not in filled):
            return True
        where, stated = _defined(found, place, node.id)
        key = f"{where}.{node.id}"
        alias = stated.value if isinstance(stated, (ast.Assign, ast.AnnAssign)) else None
        if alias is not None and key not in seen and _hides(found, where, alias, seen | {key}):
            return True
    return False


if __name__ == "__main__":
    print(*public_any(modules()), sep="\n")
