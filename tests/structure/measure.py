"""The structure of the package, measured from its source: `python tests/structure/measure.py`.

Every figure is computed from the syntax trees of the files below promptops/; nothing is imported or
run. It exits with 1 while a figure is past its limit; `--list` names what is past it, and `-v`
prints the circles and the private reads as well. tests/structure/test_structure.py holds the
figures to their limits in CI.

The length of a function is counted in lines of code, signature included, without its docstring. The
limit is on the logic that a reader must hold at once, and a docstring that documents every argument
is no part of that; a limit that counted it would be met by documenting less.
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
# Public functions whose parameters the page of cells and commands decides: each is a keyword that
# users write, and a bundle would only hide it. Every other function takes a value that has a name.
PUBLIC_SIGNATURES = {
    "promptops.lab.ask_models:evaluate": "lab.evaluate: versions, dataset, scorers, plan=, batch=,"
    " budget_usd= and the other options of a study",
    "promptops.lab.ask_models:estimate": "lab.estimate takes what lab.evaluate would be given",
    "promptops.lab.compare_table:compare": "compare(table, baseline=, candidate=, expected=): one"
    " keyword per column or file",
    "promptops.dataset.dataset:read": "Dataset.read(path, expected=): one keyword per role of a"
    " column",
    "promptops.observe.feedback:feedback": "promptops.feedback(id, good=, correction=): one keyword"
    " per kind of feedback",
    "promptops.registry.editor:promote": "Editor.promote has the keywords of lab.promote (env,"
    " force, reason, override, percent) beside the evidence and the author",
    "promptops.cli.deployments_command:canary": "the options of `promptops canary`, which click"
    " passes one by one",
}
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
    """One function or method: where it is defined, its lines of code (signature included, docstring
    not) and its parameters.
    """

    place: str
    line: int
    code: int
    parameters: int

    def __str__(self) -> str:
        name, _, function = self.place.partition(":")
        return f"{name}:{self.line} {function}: {self.code} lines, {self.parameters} parameters"


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
    """Every function of the package, longest first."""
    listed = []
    for module in found.values():
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                own = [name for name in names if name.arg not in ("self", "cls")]
                place = f"{module.name}:{node.name}"
                listed.append(Function(place, node.lineno, _code_lines(node), len(own)))
    return sorted(listed, key=lambda function: -function.code)


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node, clean=False) is None:
        return lines
    text = node.body[0]
    return lines - ((text.end_lineno or text.lineno) - text.lineno + 1)


def long_functions(found: dict[str, Module]) -> list[Function]:
    """Functions past 50 lines of code."""
    return [function for function in functions(found) if function.code > MAX_FUNCTION]


def many_parameters(found: dict[str, Module]) -> list[Function]:
    """Functions past 7 parameters, but for the public ones whose signature is decided."""
    return [
        function
        for function in functions(found)
        if function.parameters > MAX_PARAMETERS and function.place not in PUBLIC_SIGNATURES
    ]


def idle_exceptions(found: dict[str, Module]) -> list[str]:
    """Exceptions of `PUBLIC_SIGNATURES` that no function needs any more."""
    many = {f.place for f in functions(found) if f.parameters > MAX_PARAMETERS}
    return sorted(PUBLIC_SIGNATURES.keys() - many)


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


def main() -> int:
    """Print every figure beside its limit; 1 while one is past it."""
    found = modules()
    runtime, typed = runtime_circles(found), typed_circles(found)
    private = private_reads(found)
    past: dict[str, list[object]] = {
        "lines past 100 characters": [*wide_lines(found)],
        "files past 350 lines": [*long_files(found)],
        "functions past 50 lines of code": [*long_functions(found)],
        "functions past 7 parameters": [*many_parameters(found)],
        "exceptions for parameters without use": [*idle_exceptions(found)],
        "file names in more than one layer": [*repeated_names(found).items()],
    }
    rows: list[tuple[str, float, float]] = [
        ("circles at run time (modules in them)", sum(map(len, runtime)), 0),
        ("largest circle with types, faces only", max(map(len, typed), default=0), 6),
        ("reads of another object's private names", len(private), 15),
        ("SQL outside store/ and queries/", len(statements(found)), 0),
        ("functions in queries/ that ask nothing", len(no_questions(found)), 0),
        ("Any per 1,000 lines", round(any_per_thousand(found), 1), 10),
        *((what, len(listed), 0) for what, listed in past.items()),
    ]
    print(f"{'modules':<45}{len(found):>8}")
    for what, figure, limit in rows:
        print(f"{what:<45}{figure:>8}   limit {limit}{'  PAST IT' if figure > limit else ''}")
    if {"--list", "-v"} & set(sys.argv):
        for what, listed in past.items():
            if listed:
                print(f"\n{what}:", *listed, sep="\n  ")
    if "-v" in sys.argv:
        for detail in (runtime, typed, private):
            print("", *detail, sep="\n  ")
    return int(any(figure > limit for _, figure, limit in rows))


if __name__ == "__main__":
    sys.exit(main())
