"""Everything public says what it is; a module's `__all__` is what is visible of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import promptops

PACKAGE = Path(promptops.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
VALUES = (
    *("canonical", "errors", "evidence", "markup", "policy", "redact", "run", "score"),
    *("version/diff", "version/from_request", "version/message", "version/renderer"),
    *("version/responses_api", "version/setting", "version/variable", "version/version"),
)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def silent(body: list[ast.stmt], before: str = "", told: str = "") -> Iterator[str]:
    """Public classes, functions and methods without a docstring.

    A method may be told by its class (`told`, the class's docstring, names it); a property is an
    attribute, and needs none.
    """
    for node in body:
        if not isinstance(
            node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        ) or node.name.startswith("_"):
            continue
        marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
        said = ast.get_docstring(node) or ""
        if (
            not said
            and not re.search(rf"\b{node.name}\b", told)
            and not re.search("property|setter|overload", marks)
        ):
            yield before + node.name
        if isinstance(node, ast.ClassDef):
            yield from silent(node.body, f"{before}{node.name}.", said)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_public_has_a_docstring(path: Path) -> None:
    """Every module that holds anything, and every public class, function and method in it, has a
    docstring.
    """
    module = tree(path)
    assert not module.body or ast.get_docstring(module), (
        f"{path.name} opens without saying what it guarantees"
    )
    assert list(silent(module.body)) == []


@pytest.mark.parametrize("name", VALUES)
def test_all_is_what_is_visible(name: str) -> None:
    """`__all__` of a module of values lists every public name that it defines, and nothing else."""
    visible: set[str] = set()
    listed: list[str] = []
    for node in tree(PACKAGE / f"{name}.py").body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            visible.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            visible |= {target.id for target in targets if isinstance(target, ast.Name)}
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                listed = ast.literal_eval(node.value)
    public = {found for found in visible if not found.startswith("_")} - {"TYPE_CHECKING"}
    assert len(listed) == len(set(listed))
    assert set(listed) == public
