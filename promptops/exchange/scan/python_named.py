"""Texts of Python source that no call was seen to send, and that read like instructions to a model:
constants, texts of functions, and what is handed to a function of the project's own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

from ..chat_text import slug
from .found_prompt import FoundPrompt, Text, handed_over, looks_like_prompt
from .python_source import Function, PythonSource, Scope, scopes_of, tables_of
from .python_texts import Names, text_of

__all__ = ["named_texts"]

_WRITTEN = (ast.Constant, ast.JoinedStr, ast.BinOp)
_GIVES = frozenset(("format", "join", "strip", "lstrip", "rstrip", "dedent", "cleandoc"))
_FILLS = frozenset(("substitute", "safe_substitute"))
_LEAST = 12  # characters of a text that can read like a prompt


def named_texts(source: PythonSource) -> list[FoundPrompt]:
    """The texts of a file, after its calls were read."""
    whole = Names(source.module, elsewhere=source.elsewhere)
    found = list[FoundPrompt]()
    for scope in scopes_of(source.tree):
        if scope.function is None:
            found += _handed(source, scope, lambda: whole)
        else:
            names = cache(partial(source.inside, scope.function))
            found += _of_function(source, scope, scope.function, names)
            found += _handed(source, scope, names)
    return [*found, *_constants(source, whole)]


def _constants(source: PythonSource, names: Names) -> Iterator[FoundPrompt]:
    """Constants of the module and its classes. One that another prompt is made of is a piece."""
    kinds = (ast.Module, ast.ClassDef)
    found = list[tuple[str, ast.expr, Text]]()
    for body in (node for node in ast.walk(source.tree) if isinstance(node, kinds)):
        for name, value in tables_of(body).items():
            if name in source.sent or id(value) in source.read or source.skipped(value.lineno):
                continue
            if _fills(source, value):
                continue
            text = text_of(value, names)
            owner = body.name if isinstance(body, ast.ClassDef) else ""
            if text is not None and looks_like_prompt(name, text, owner):
                found.append((name, value, text))
    pieces = {
        inner.id
        for name, value, _ in found
        for inner in ast.walk(value)
        if isinstance(inner, ast.Name) and inner.id != name
    }
    for name, value, text in found:
        if name not in pieces:
            named = slug(re.sub(r"(?i)_?prompt$", "", name), slug(name, "prompt"))
            yield FoundPrompt(source.file, value.lineno, named, ((_role(name), text),))


@dataclass(frozen=True, slots=True)
class _Local:
    name: str
    value: ast.expr
    text: Text


def _of_function(
    source: PythonSource, scope: Scope, function: Function, names: Callable[[], Names]
) -> Iterator[FoundPrompt]:
    """Texts of a function: those that one call takes together are one prompt."""
    texts = list(_locals(source, scope, function.name, names))
    known = {each.name: each for each in texts}
    together = set[str]()
    for call in scope.calls if len(known) > 1 else ():
        given = [*call.args, *(word.value for word in call.keywords)]
        taken = [item.id for item in given if isinstance(item, ast.Name) and item.id in known]
        if len(taken) > 1 and not together & set(taken) and id(call) not in source.read:
            together.update(taken)
            parts = [known[name] for name in taken]
            wording = tuple((_role(each.name), each.text) for each in parts)
            line = min(each.value.lineno for each in parts)
            yield FoundPrompt(source.file, line, slug(function.name, "prompt"), wording)
    for each in texts:
        source.note(each.value, names())
        if each.name not in together:
            wording = ((_role(each.name), each.text),)
            named = slug(function.name, slug(each.name, "prompt"))
            yield FoundPrompt(source.file, each.value.lineno, named, wording)


def _locals(
    source: PythonSource, scope: Scope, function: str, names: Callable[[], Names]
) -> Iterator[_Local]:
    for node in scope.given:
        name, value = _named_text(node, function)
        if value is None or id(value) in source.read:
            continue
        if _fills(source, value) or source.skipped(value.lineno):
            continue
        text = text_of(value, names())
        if text is not None and looks_like_prompt(name, text):
            yield _Local(name, value, text)


def _handed(
    source: PythonSource, scope: Scope, names: Callable[[], Names]
) -> Iterator[FoundPrompt]:
    """Texts that are written where a function takes them; those of one call are one prompt."""
    for call in scope.calls:
        given = [("", item) for item in call.args]
        given += [(word.arg, word.value) for word in call.keywords if word.arg]
        written = [(word, item) for word, item in given if _written(item)]
        if not written or id(call) in source.read or source.skipped(call.lineno):
            continue
        callee = ast.unparse(call.func)
        texts = [(word, text_of(item, names())) for word, item in written]
        wording = tuple(
            (_role(word), text)
            for word, text in texts
            if text is not None and handed_over(callee, text, word)
        )
        if wording:
            source.note(call, names())
            named = slug(scope.function.name if scope.function else "", slug(callee, "prompt"))
            yield FoundPrompt(source.file, call.lineno, named, wording)


def _written(node: ast.expr) -> bool:
    """Whether an expression is a text of some length, as far as a look tells."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and len(node.value) >= _LEAST
    return isinstance(node, _WRITTEN)


def _role(name: str) -> str:
    return "system" if re.search(r"(?i)system|persona", name) else "user"


def _fills(source: PythonSource, value: ast.expr) -> bool:
    """Whether it is, or fills in, a constant of the file or of one that it imports: that constant
    is found itself.
    """
    called = value.func if isinstance(value, ast.Call) else None
    base = called.value if isinstance(called, ast.Attribute) else value
    if not isinstance(base, ast.Name):
        return False
    return base.id in source.module or source.elsewhere(base.id) is not None


def _named_text(node: ast.Assign | ast.Return, function: str) -> tuple[str, ast.expr | None]:
    """A text that is given a name, or returned by a function, which is its name then."""
    if isinstance(node, ast.Return):
        name, value = function, node.value
    elif isinstance(node.targets[0], ast.Name):
        name, value = node.targets[0].id, node.value
    else:
        return "", None
    if isinstance(value, ast.Call):
        called = value.func
        last = called.attr if isinstance(called, ast.Attribute) else ""
        last = called.id if isinstance(called, ast.Name) else last
        return (name, value) if last in _GIVES | _FILLS else ("", None)
    return (name, value) if value is not None and _written(value) else ("", None)
