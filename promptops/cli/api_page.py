"""The manual's page about the public names, read from the source of this installation.

The docstrings are in the package already; a copy of them is not shipped beside them. Nothing is
imported, so the page is the same whatever extras are installed.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Iterator
from importlib.resources import files

__all__ = ["DOORS", "HEAD", "page", "public_names"]

DOORS = ("promptops", "promptops.lab", "promptops.scorers")
HEAD = """\
# API

Every public name of `promptops`, `promptops.lab` and `promptops.scorers`, from its docstring.
Written by `python -m tests.structure.api_page`; a test compares it with the code.
"""
_SECTIONS = ("Args:", "Returns:", "Raises:")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Found = tuple[ast.stmt, str]  # a definition, and the module that holds it


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for door in DOORS:
        parts.append(f"\n## `{door}`\n")
        for name in public_names(door):
            parts += _entry(name, *_resolved(door, name))
    return "\n".join(parts).rstrip() + "\n"


def public_names(door: str) -> list[str]:
    """The names in the `__all__` of a module, sorted."""
    listed = _names(door)["__all__"]
    assert isinstance(listed, ast.Assign)
    return sorted(ast.literal_eval(listed.value))


@functools.cache
def _names(module: str) -> dict[str, ast.stmt]:
    """What a module defines or imports at its top level, and below TYPE_CHECKING."""
    found: dict[str, ast.stmt] = {}
    for node in _statements(_tree(module).body):
        if isinstance(node, _Function | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {each.id: node for each in targets if isinstance(each, ast.Name)}
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from node.body
        else:
            yield node


def _tree(module: str) -> ast.Module:
    top, *below = module.split(".")
    place = files(top).joinpath(*below)
    place = (
        place / "__init__.py" if place.is_dir() else files(top).joinpath(f"{'/'.join(below)}.py")
    )
    return ast.parse(place.read_text(encoding="utf-8"))


def _resolved(module: str, name: str) -> _Found:
    """The definition that a name of a module leads to, through imports within the package."""
    node = _names(module)[name]
    if not isinstance(node, ast.ImportFrom):
        return node, module
    [own] = [alias.name for alias in node.names if name in (alias.asname, alias.name)]
    return _resolved(_origin(module, node), own)


def _origin(module: str, node: ast.ImportFrom) -> str:
    """The module that an import within the package names."""
    parts = module.split(".")
    is_package = files(parts[0]).joinpath(*parts[1:]).is_dir()
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, *filter(None, [node.module])])


def _entry(name: str, node: ast.stmt, module: str) -> Iterator[str]:
    yield f"\n### `{name}`\n"
    if isinstance(node, ast.Assign | ast.AnnAssign):
        yield from _value(name, node, module)
        return
    assert isinstance(node, _Function | ast.ClassDef)
    raised = isinstance(node, ast.ClassDef) and _is_raised(node, module)
    if not raised:
        yield from _call(name, _parameters(node, module))
    yield _text(node)
    if isinstance(node, ast.ClassDef) and not raised:
        for method, (found, where) in sorted(_methods(node, module).items()):
            if not method.startswith("_"):
                yield f"\n#### `{name}.{method}`\n"
                if not _decorated(found, "property", "cached_property"):
                    yield from _call(f"{name}.{method}", _parameters(found, where))
                yield _text(found)


def _value(name: str, node: ast.Assign | ast.AnnAssign, module: str) -> Iterator[str]:
    """The lines for a constant: its type, and its call if it can be called."""
    if isinstance(node, ast.AnnAssign):
        yield f"A value: `{ast.unparse(node.annotation)}`."
    elif isinstance(node.value, ast.Call):
        made = ast.unparse(node.value.func)
        found = _class(module, made)
        called = _methods(*found).get("__call__") if found else None
        if called:
            yield from _call(name, _parameters(*called))
        yield f"A value: `{made}`."
    else:
        yield f"A type: `{ast.unparse(node.value)}`."


def _methods(node: ast.ClassDef, module: str) -> dict[str, tuple[_Function, str]]:
    """Name -> the function of a class, and its module; `name = module.function` is one of
    another module.
    """
    found: dict[str, tuple[_Function, str]] = {}
    for each in node.body:
        if isinstance(each, _Function):
            found[each.name] = each, module
        elif isinstance(each, ast.Assign) and isinstance(each.value, ast.Attribute):
            holder = ast.unparse(each.value.value)
            imported = _names(module).get(holder)
            if isinstance(imported, ast.ImportFrom):
                value, where = _resolved(f"{_origin(module, imported)}.{holder}", each.value.attr)
                if isinstance(value, _Function):
                    found[ast.unparse(each.targets[0])] = value, where
    return found


def _is_raised(node: ast.ClassDef, module: str) -> bool:
    """Whether a class is an exception, by its first base."""
    if not node.bases:
        return False
    base = ast.unparse(node.bases[0])
    built_in = getattr(builtins, base, None)
    if isinstance(built_in, type):
        return issubclass(built_in, BaseException)
    found = _class(module, base)
    return found is not None and _is_raised(*found)


def _class(module: str, name: str) -> tuple[ast.ClassDef, str] | None:
    """A class of the package by the name that a module has for it."""
    node = _names(module).get(name)
    if node is None or (isinstance(node, ast.ImportFrom) and not node.level):
        return None
    found, where = _resolved(module, name)
    return (found, where) if isinstance(found, ast.ClassDef) else None


def _parameters(node: _Function | ast.ClassDef, module: str) -> list[str] | None:
    """The parameters of a call, without annotations, self and cls; None for a class that only
    describes others.
    """
    if isinstance(node, ast.ClassDef):
        init = _methods(node, module).get("__init__")
        if init:
            return _parameters(*init)
        if _decorated(node, "dataclass"):
            return list(_fields(node, module).values())
        found = _class(module, ast.unparse(node.bases[0])) if node.bases else None
        return _parameters(*found) if found else None
    taken = node.args
    for each in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg):
        if each is not None:
            each.annotation = None
    for several in (taken.posonlyargs, taken.args):
        several[:] = [each for each in several if each.arg not in ("self", "cls")]
    taken.defaults = [_known(each, module) for each in taken.defaults]
    taken.kw_defaults = [each and _known(each, module) for each in taken.kw_defaults]
    return _parts(ast.unparse(taken))


def _known(value: ast.expr, module: str) -> ast.expr:
    """A default; the value of a constant instead of its name."""
    if isinstance(value, ast.Name) and value.id in _names(module):
        found, where = _resolved(module, value.id)
        if isinstance(found, ast.Assign | ast.AnnAssign) and found.value is not None:
            return _known(found.value, where)
    return value


def _fields(node: ast.ClassDef, module: str) -> dict[str, str]:
    """Field -> the parameter of a dataclass for it, those of its base first."""
    found: dict[str, str] = {}
    for base in node.bases:
        above = _class(module, ast.unparse(base))
        found |= _fields(*above) if above else {}
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            name = each.target.id
            if not name.startswith("_"):
                found[name] = name + ("" if each.value is None else _default(each.value))
    return found


def _default(value: ast.expr) -> str:
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "field"):
        return f"={ast.unparse(value)}"
    given = {each.arg: ast.unparse(each.value) for each in value.keywords}
    if "default_factory" in given:
        return "=<factory>"
    return f"={given['default']}" if "default" in given else ""


def _decorated(node: _Function | ast.ClassDef, *words: str) -> bool:
    return any(ast.unparse(each).split("(")[0] in words for each in node.decorator_list)


def _call(name: str, parameters: list[str] | None) -> Iterator[str]:
    """The call with its parameters as code, below the heading; a parameter a line if it is wide."""
    if parameters is None:
        return
    taken = f"({', '.join(parameters)})"
    if len(name + taken) > 76:
        inner = ",\n".join(f"  {each}" for each in parameters)
        taken = f"(\n{inner},\n)"
    yield f"```text\n{name}{taken}\n```\n"


def _parts(inner: str) -> list[str]:
    """The parameters of a signature, parted at the commas outside brackets and texts."""
    parts, depth, text = [""], 0, ""
    for sign in inner:
        text = ("" if text == sign else text or sign) if sign in "'\"" else text
        depth += (sign in "([{") - (sign in ")]}") if not text else 0
        if sign == "," and not depth and not text:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def _text(node: _Function | ast.ClassDef) -> str:
    """A docstring, its sections `Args:`, `Returns:` and `Raises:` as lists, a name per point."""
    out: list[str] = []
    section = ""
    for line in (ast.get_docstring(node) or "").strip().splitlines():
        if line in _SECTIONS:
            section = line
            out += [f"**{line[:-1]}**", ""]
        elif not line.startswith(" "):
            section = section if not line else ""
            out.append(line)
        elif not section:
            out.append(line)
        elif line.startswith("     ") or section == "Returns:":
            out.append(("  " if section != "Returns:" else "") + line.strip())
        else:
            name, colon, rest = line.strip().partition(":")
            marked = ", ".join(f"`{each}`" for each in re.split(r", (?:or )?| or ", name))
            out.append(f"- {marked}:{rest}" if colon else f"- {line.strip()}")
    return "\n".join(out)
