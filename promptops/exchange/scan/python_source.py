"""A file of Python source as the search for prompts sees it: its lines, the constants of its module
and imports, and what has been read already.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from .python_texts import Names

__all__ = ["OtherFiles", "Function", "Scope", "PythonSource", "scopes_of", "tables_of"]

_SKIP = "promptops: not-a-prompt"


class OtherFiles(Protocol):
    """The constants that a file imports."""

    def __call__(self, name: str) -> tuple[ast.expr, Names] | None:
        """The expression that an imported name was given, and the names it is read with."""

    def note(self, name: str) -> None:
        """A call was seen to send an imported name: it is not a prompt of its own."""


def tables_of(tree: ast.AST) -> dict[str, ast.expr]:
    """Constants of a body: names that are assigned once, and to what."""
    found: dict[str, ast.expr] = {}
    often: set[str] = set()
    body = getattr(tree, "body", None)
    for node in body if isinstance(body, list) else []:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and getattr(node, "value", None) is not None:
                often.update({target.id} & set(found))
                found[target.id] = node.value
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            often.add(node.target.id)
    return {name: value for name, value in found.items() if name not in often}


def _branches(block: ast.AST) -> Iterator[ast.Module]:
    """The bodies of a statement beside its first one, as bodies."""
    for name in ("orelse", "finalbody"):
        body = getattr(block, name, None)
        if isinstance(body, list):
            yield ast.Module(body, [])


Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Scope:
    """A function's body, or a module's: its statements that may give a text, and its calls, without
    those of functions inside it.
    """

    function: Function | None
    given: list[ast.Assign | ast.Return] = field(default_factory=list)
    calls: list[ast.Call] = field(default_factory=list)


def scopes_of(tree: ast.Module) -> list[Scope]:
    """The functions of a file and the file itself, in one walk of its tree."""
    whole = Scope(None)
    found, left = [whole], list[tuple[ast.AST, Scope]]([(tree, whole)])
    while left:
        node, scope = left.pop()
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.append(Scope(inner))
                left.append((inner, found[-1]))
                continue
            if isinstance(inner, ast.Call):
                scope.calls.append(inner)
            elif isinstance(inner, (ast.Assign, ast.Return)):
                scope.given.append(inner)
            left.append((inner, scope))
    return found


def _fields_of(tree: ast.Module) -> tuple[dict[tuple[str, str], ast.expr], dict[int, str]]:
    """(class, attribute) -> its value, and the class of each method by the method's id. Attributes
    that something assigns, and those of a class with decorators or subclasses, are not certain.
    """
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    bases = {base.id for each in classes for base in each.bases if isinstance(base, ast.Name)}
    assigned = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    fields, methods = dict[tuple[str, str], ast.expr](), dict[int, str]()
    for each in classes:
        if each.decorator_list or each.name in bases:
            continue
        methods |= {id(part): each.name for part in each.body if isinstance(part, Function)}
        for name, value in tables_of(each).items():
            if name not in assigned:
                fields[each.name, name] = value
    return fields, methods


class PythonSource:
    """text, tree: of the file, which is `file` in a message; elsewhere: what it imports.

    sent: names of the module that a prompt reads; read: ids of expressions that one reads.
    """

    def __init__(self, text: str, file: str, tree: ast.Module, elsewhere: OtherFiles) -> None:
        self.lines = text.splitlines()
        self.file, self.tree, self.elsewhere = file, tree, elsewhere
        self.module = tables_of(tree)
        self.fields, self.methods = _fields_of(tree)
        self.sent: set[str] = set()
        self.read: set[int] = set()

    def skipped(self, line: int) -> bool:
        """Whether a line, or the one above, is marked as one without a prompt."""
        near = self.lines[max(0, line - 2) : line]
        return any(_SKIP in text for text in near)

    def inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Names:
        """What names mean in a function."""
        stored = Counter(
            inner.id
            for inner in ast.walk(node)
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
        )
        own = {
            name: value
            for block in ast.walk(node)
            for part in (block, *_branches(block))
            for name, value in tables_of(part).items()
            if stored[name] == 1
        }
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        texts = frozenset(
            item.arg for item in given if item.annotation and ast.unparse(item.annotation) == "str"
        )
        hidden = {item.arg for item in given} | set(stored)
        module = {name: value for name, value in self.module.items() if name not in hidden}
        fields = {".".join(key): value for key, value in self.fields.items()}
        around = self.methods.get(id(node), "")
        for (owner, name), value in self.fields.items():
            if owner == around:
                fields |= {f"self.{name}": value, f"cls.{name}": value}
        return Names(module | fields, own, texts, self.elsewhere)

    def note(self, node: ast.AST, names: Names) -> None:
        """Names that the call reads are not prompts of their own."""
        self.read.update(id(inner) for inner in ast.walk(node))
        replaced = {  # read as a variable: its text is found by itself
            id(inner.value)
            for inner in ast.walk(node)
            if isinstance(inner, ast.Attribute) and inner.attr == "replace"
        }
        left: list[ast.AST] = [node]
        while left:
            for inner in ast.walk(left.pop()):
                if isinstance(inner, ast.Name) and inner.id not in self.sent:
                    value = names.own.get(inner.id) or self.module.get(inner.id)
                    if value is not None and id(value) not in self.read:
                        self.read.add(id(value))
                        self.sent.update({inner.id} & set(self.module))
                        left.append(value)
                    elif value is None:
                        self.elsewhere.note(inner.id)
                elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
                    dotted = f"{inner.value.id}.{inner.attr}"
                    value = names.module.get(dotted)
                    if value is None:
                        self.elsewhere.note(dotted)
                    elif id(value) not in self.read and id(inner) not in replaced:
                        self.read.add(id(value))
                        left.append(value)
