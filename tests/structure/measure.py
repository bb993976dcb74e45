"""The structure of the package, measured from its source: `python tests/structure/measure.py`.

Every figure is computed from the syntax trees of the files below promptops/; nothing is imported or
run. tests/structure/test_structure.py holds the figures to their limits.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "promptops"
MAX_FILE, MAX_FUNCTION, MAX_PARAMETERS, MAX_WIDTH = 350, 50, 7, 100
_SQL = re.compile(r"\b(select\b.+?\bfrom|insert\s+into|delete\s+from)\b", re.IGNORECASE | re.DOTALL)
_NOT_SQL = (
    "promptops.embedded.wording",
    "promptops.mcp.read_tools",
)  # patterns and messages about SQL
HOOK = ("promptops.lab.show", "promptops.views.faces")  # the one ignored import: a face to its view


@dataclass
class Module:
    """One source file: its dotted name, text, syntax tree and the modules that it imports."""

    name: str
    path: Path
    text: str
    tree: ast.Module
    imports: set[str] = field(default_factory=set)  # at run time, late imports counted
    typed: set[str] = field(default_factory=set)  # under `if TYPE_CHECKING`


@dataclass(frozen=True)
class Function:
    """One function or method: where it is defined, its length in lines and its parameters."""

    place: str
    lines: int
    parameters: int


def modules(package: Path = PACKAGE) -> dict[str, Module]:
    """Every module of the package by its dotted name, with its imports of other modules
    resolved.
    """
    found: dict[str, Module] = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(("promptops", *path.relative_to(package).with_suffix("").parts))
        text = path.read_text(encoding="utf-8")
        module = Module(name.removesuffix(".__init__"), path, text, ast.parse(text))
        found[module.name] = module
    for module in found.values():
        typed = {id(node) for node in _type_only(module.tree)}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                into = module.typed if id(node) in typed else module.imports
                into.update(_targets(module, node, found))
        module.imports.discard(module.name)
        if module.name == HOOK[0]:
            module.imports.discard(HOOK[1])
            module.typed.discard(HOOK[1])  # the types of what it shows come by the same import
        module.typed.discard(module.name)
    return found


def _type_only(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from ast.walk(statement)


def _targets(module: Module, node: ast.ImportFrom, known: dict[str, Module]) -> Iterator[str]:
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    base = ".".join([*parts, *([node.module] if node.module else [])])
    for alias in node.names:
        full = f"{base}.{alias.name}"
        if full in known:
            yield full
        elif base in known:
            yield base


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected groups of more than one module (Tarjan 1972), largest first."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in graph.get(name, ()):
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                groups.append(sorted(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for name in graph:
        if name not in order:
            visit(name)
    return sorted(groups, key=len, reverse=True)


def runtime_circles(found: dict[str, Module]) -> list[list[str]]:
    """Circles of imports that happen when code runs, late imports inside functions counted."""
    return circles({name: module.imports for name, module in found.items()})


def typed_circles(found: dict[str, Module]) -> list[list[str]]:
    """Circles once imports for types only are counted as well."""
    return circles({name: module.imports | module.typed for name, module in found.items()})


def private_reads(found: dict[str, Module]) -> list[str]:
    """Reads of a `_name` of another object: every `x._name` where x is not self or cls."""
    reads = []
    for module in found.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
                continue
            if node.attr.startswith("__") or _own(node.value):
                continue
            reads.append(f"{module.name}:{node.lineno} {ast.unparse(node)[:60]}")
    return reads


def _own(value: ast.expr) -> bool:
    if isinstance(value, ast.Name) and value.id in ("self", "cls", "other"):
        return True
    return isinstance(value, ast.Name) and value.id in ("sys", "os")


def statements(found: dict[str, Module]) -> list[str]:
    """SQL outside store/ and the packages of questions (study/queries, monitor/queries)."""
    listed = []
    for module in found.values():
        if module.name in _NOT_SQL or {"store", "queries"} & set(module.name.split(".")):
            continue
        plain = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.expr) and id(node) not in plain and _SQL.search(_text(node)):
                listed.append(f"{module.name}:{node.lineno}")
    return listed


def _text(node: ast.AST) -> str:
    """A constant text, or the texts of an f-string with a mark at each hole."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "?" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def no_questions(found: dict[str, Module]) -> list[str]:
    """Public functions in the packages of questions that ask neither a store nor a study."""
    return [
        f"{module.name}:{node.name}"
        for module in found.values()
        if "queries" in module.name.split(".")
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if not node.args.args or node.args.args[0].arg not in ("store", "study")
    ]


def any_per_thousand(found: dict[str, Module]) -> float:
    """How often `Any` is in the code, per 1,000 lines of the package."""
    uses = sum(
        isinstance(node, ast.Name) and node.id == "Any"
        for module in found.values()
        for node in ast.walk(module.tree)
    )
    return 1000 * uses / sum(len(module.text.splitlines()) for module in found.values())


def functions(found: dict[str, Module]) -> list[Function]:
    """Every function of the package, longest first; a docstring counts as lines of it."""
    listed = []
    for module in found.values():
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                own = [name for name in names if name.arg not in ("self", "cls")]
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                listed.append(Function(f"{module.name}:{node.name}", lines, len(own)))
    return sorted(listed, key=lambda function: -function.lines)


def wide_lines(found: dict[str, Module]) -> list[str]:
    """Lines past 100 characters."""
    return [
        f"{module.name}:{number}"
        for module in found.values()
        for number, line in enumerate(module.text.splitlines(), 1)
        if len(line) > MAX_WIDTH
    ]


def long_files(found: dict[str, Module]) -> list[str]:
    """Files past 350 lines."""
    sizes = {name: len(module.text.splitlines()) for name, module in found.items()}
    return [f"{name} {size}" for name, size in sizes.items() if size > MAX_FILE]


def repeated_names(found: dict[str, Module]) -> dict[str, list[str]]:
    """File names that are in more than one layer: one file name should mean one thing."""
    places: dict[str, list[str]] = defaultdict(list)
    for module in found.values():
        if module.path.name not in ("__init__.py", "__main__.py"):
            places[module.path.name].append(module.name)
    return {name: where for name, where in places.items() if len(where) > 1}


def main() -> None:
    """Print every figure beside its limit."""
    found = modules()
    runtime, typed = runtime_circles(found), typed_circles(found)
    listed = functions(found)
    long = [f for f in listed if f.lines > MAX_FUNCTION]
    many = [f for f in listed if f.parameters > MAX_PARAMETERS]
    rows = [
        ("modules", len(found), ""),
        ("circles at run time (modules in them)", sum(map(len, runtime)), "0"),
        ("largest circle with types", max(map(len, typed), default=0), "6, faces only"),
        ("reads of another object's private names", len(private_reads(found)), "15"),
        ("SQL outside store/ and queries/", len(statements(found)), "0"),
        ("functions in queries/ that ask nothing", len(no_questions(found)), "0"),
        ("Any per 1,000 lines", round(any_per_thousand(found), 1), "10"),
        ("lines past 100 characters", len(wide_lines(found)), "0"),
        ("files past 350 lines", len(long_files(found)), "0"),
        ("functions past 50 lines", len(long), "0"),
        ("functions past 7 parameters", len(many), "0"),
        ("file names in more than one layer", len(repeated_names(found)), "0"),
    ]
    for what, figure, limit in rows:
        print(f"{what:<45}{figure:>8}   {'limit ' + limit if limit else ''}")
    if "-v" in sys.argv:
        details = (runtime, typed, private_reads(found), long_files(found), long, many)
        for detail in details:
            print(*detail, sep="\n")
        print(repeated_names(found))


if __name__ == "__main__":
    main()
