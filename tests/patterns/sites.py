"""Every regular expression of the package, found in its source, with the methods by which it is
applied.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promptops
from promptops.late_pattern import late_pattern

PACKAGE = Path(promptops.__file__).parent
_MADE = re.compile(
    r"\bre\.(?:search|match|fullmatch|finditer|findall|sub|subn|split|compile)\b|\blate_pattern\("
)
_LATE = type(late_pattern(""))
USES = ("search", "match", "fullmatch", "finditer", "findall", "sub", "subn", "split")
_UNKNOWN = (
    "search",
    "fullmatch",
)  # of a pattern that is handed on: the two that have to look at everything


@dataclass(frozen=True)
class Site:
    """Where a pattern is written, the pattern, and how it is applied."""

    where: str
    pattern: re.Pattern[Any]
    uses: tuple[str, ...]


class _Sample(str):
    """Stands for a value that is known only when the code runs: a word, whatever is asked of it."""

    __slots__ = ()

    def __getitem__(self, _key: Any) -> _Sample:  # type: ignore[override]
        return self

    def __getattr__(self, _name: str) -> _Sample:
        return self

    def __call__(self, *_: Any, **__: Any) -> _Sample:
        return self


class _Scope(dict[str, Any]):
    """The module's names; others are samples."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, _Sample("a"))


def sites() -> list[Site]:
    """All of them; raises where a pattern cannot be worked out, so that none is left out
    silently.
    """
    trees = _trees()
    applied = _applied(trees)
    return [
        site
        for path in sorted(PACKAGE.rglob("*.py"))
        for site in (*_of(path, trees.get(path), applied), *_kept(path, applied))
    ]


def _trees() -> dict[Path, ast.Module]:
    """The files that make a pattern or name one. Of the others, two in three, no tree is made:
    every worker of the suite collects these sites, and the trees were most of the time.
    """
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    trees = {path: ast.parse(source) for path, source in sources.items() if _MADE.search(source)}
    names = {
        name
        for path in sources
        for name, value in vars(_module(path)).items()
        if name != "__builtins__" and next(_inside(value), None)
    }
    named = re.compile(rf"\b(?:{'|'.join(sorted(names))})\b")
    for path, source in sources.items():
        if path not in trees and named.search(source):
            trees[path] = ast.parse(source)
    return trees


def _kept(path: Path, applied: Mapping[tuple[Path, str], set[str]]) -> Iterator[Site]:
    """Patterns that are in a module's tables, whose source may be a variable at the place where
    they are made.
    """
    for name, value in vars(_module(path)).items():
        if isinstance(value, (tuple, list, dict, set)):
            uses = tuple(sorted(applied.get((path, name), ()))) or _UNKNOWN
            yield from (
                Site(f"{path.relative_to(PACKAGE)}:{name}", pattern, uses)
                for pattern in _inside(value)
            )


def _inside(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, _LATE):
        yield re.compile(value.pattern, value.flags)
    elif isinstance(value, (tuple, list, set)):
        yield from (pattern for one in value for pattern in _inside(one))
    elif isinstance(value, dict):
        yield from (pattern for one in value.values() for pattern in _inside(one))


def _module(path: Path) -> Any:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return importlib.import_module(
        ".".join(("promptops", *(part for part in parts if part != "__init__")))
    )


def _applied(trees: Mapping[Path, ast.Module]) -> dict[tuple[Path, str], set[str]]:
    """(file, name of a variable) -> the methods that are called on it or taken from it, there and
    if it is imported.
    """
    used: dict[tuple[Path, str], set[str]] = defaultdict(set)
    imported: dict[str, set[Path]] = defaultdict(set)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    imported[alias.name].add(path)
            for name, use in _taken(node):
                used[path, name].add(use)
    for (path, name), uses in list(used.items()):
        for other in imported[name] if path not in imported[name] else ():
            uses |= used.get((other, name), set())
    return used


def _taken(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Attribute) and node.attr in USES:
        yield from (
            (named.id, node.attr) for named in ast.walk(node.value) if isinstance(named, ast.Name)
        )
    elif isinstance(
        node, (ast.Tuple, ast.List, ast.comprehension, ast.For)
    ):  # one of several that are applied in turn
        inside = node.iter if isinstance(node, (ast.comprehension, ast.For)) else node
        yield from (
            (named.id, "search") for named in ast.walk(inside) if isinstance(named, ast.Name)
        )


def _of(
    path: Path, tree: ast.Module | None, applied: Mapping[tuple[Path, str], set[str]]
) -> Iterator[Site]:
    if tree is None or path.name == "late_pattern.py":  # it compiles what others name
        return
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    module: Any = None
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        made = _made(node)
        if made not in (*USES, "compile", "late_pattern"):
            continue
        module = module or _module(path)
        uses = (made,) if made in USES else _uses(node, parents, path, applied)
        yield Site(f"{path.relative_to(PACKAGE)}:{node.lineno}", _pattern(node, module), uses)


def _made(call: ast.Call) -> str:
    """The function that is called with a pattern; "" for any other call."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id if function.id == "late_pattern" else ""
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return ""
    return function.attr if function.value.id == "re" else ""


def _uses(
    call: ast.Call,
    parents: Mapping[ast.AST, ast.AST],
    path: Path,
    applied: Mapping[tuple[Path, str], set[str]],
) -> tuple[str, ...]:
    above = parents[call]
    if isinstance(above, ast.Attribute) and above.attr in USES:
        return (above.attr,)
    while not isinstance(above, ast.stmt):
        above = parents[above]
    targets = (
        above.targets
        if isinstance(above, ast.Assign)
        else [above.target]
        if isinstance(above, ast.AnnAssign)
        else []
    )
    names = {
        named.id for target in targets for named in ast.walk(target) if isinstance(named, ast.Name)
    }
    return (
        tuple(sorted({use for name in names for use in applied.get((path, name), ())})) or _UNKNOWN
    )


def _pattern(call: ast.Call, module: Any) -> re.Pattern[Any]:
    scope = _Scope(vars(module))
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    if _made(call) == "late_pattern":
        ascii_only = "ascii_only" in arguments and _value(arguments["ascii_only"], scope)
        return re.compile(_value(call.args[0], scope), re.ASCII if ascii_only else 0)
    compiling = isinstance(call.func, ast.Attribute) and call.func.attr == "compile"
    flags = arguments.get("flags") or (call.args[1] if compiling and len(call.args) > 1 else None)
    source, given = (
        _value(node, scope) if node is not None else 0 for node in (call.args[0], flags)
    )
    if isinstance(source, re.Pattern):
        return source
    return re.compile(str(source) if isinstance(source, str) else source, given)


def _value(node: ast.expr, scope: _Scope) -> Any:
    return eval(compile(ast.Expression(node), "pattern", "eval"), scope)
