"""Texts of Python source by its syntax tree: constants, f-strings, `.format`, `%`, `Template`,
concatenation, names of the function, the module and its imports. Nothing is executed.
"""

from __future__ import annotations

import ast
import inspect
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .found_prompt import Hole, Text

__all__ = ["Names", "fields_of", "literal_of", "text_of"]

_PERCENT = re.compile(r"%(?:\((\w+)\))?([-#0 +]*+\d*+(?:\.\d++)?+)([sdrifg%])")
_DOLLAR = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_DEPTH = 20
_MISSING = object()


@dataclass(slots=True)
class Names:
    """What names mean at a place. own: assigned once in the function; module: constants of the
    file; imported: name -> the expression in another file, and that file's names.
    """

    module: Mapping[str, ast.expr]
    own: Mapping[str, ast.expr] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()  # parameters that are annotated as str
    elsewhere: Callable[[str], tuple[ast.expr, Names] | None] = lambda _: None

    def find(self, name: str) -> tuple[ast.expr, Names] | None:
        """The expression of a name, and the names that it is read with."""
        if name in self.own:
            rest = {key: value for key, value in self.own.items() if key != name}
            return self.own[name], Names(self.module, rest, self.texts, self.elsewhere)
        if name in self.module:
            return self.module[name], Names(self.module, {}, frozenset(), self.elsewhere)
        return self.elsewhere(name)


def text_of(node: ast.expr, names: Names, depth: int = 0) -> Text | None:
    """The text that an expression gives, None for one that is not a text as far as can be seen."""
    if depth > _DEPTH:
        return None
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return tuple(piece for part in node.values for piece in _formatted(part, names, depth))
    if isinstance(node, ast.Name):
        found = names.find(node.id)
        return None if found is None else text_of(*found, depth + 1)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = names.find(f"{node.value.id}.{node.attr}")
        return None if found is None else text_of(*found, depth + 1)
    if isinstance(node, ast.BinOp):
        return _operated(node, names, depth)
    return _called(node, names, depth) if isinstance(node, ast.Call) else None


def _hole(node: ast.expr, names: Names) -> Hole:
    code = ast.unparse(node)
    text = isinstance(node, ast.Name) and node.id in names.texts
    text = text or _gives_text(node, names)
    return Hole(_name_of(node), code if text else f"str({code})")


def _gives_text(node: ast.expr, names: Names) -> bool:
    """Whether an expression is known to give a text: a method of a text that gives one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        inner = node.func.value
        known = isinstance(inner, ast.Name) and inner.id in names.texts
        return known and node.func.attr in ("strip", "lower", "upper", "title", "replace", "join")
    return isinstance(node, ast.JoinedStr)


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            inner = node.func.value
            return _name_of(inner) if not isinstance(inner, ast.Constant) else node.func.attr
        return _name_of(node.args[0]) if node.args else _name_of(node.func)
    return "value"


def _formatted(part: ast.expr, names: Names, depth: int) -> Text:
    if isinstance(part, ast.Constant):
        return (str(part.value),)
    if not isinstance(part, ast.FormattedValue):
        return (_hole(part, names),)
    if part.conversion == -1 and part.format_spec is None:
        inner = None
        if isinstance(part.value, (ast.Name, ast.Attribute, ast.Constant)):
            inner = text_of(part.value, names, depth + 1)
        return inner if inner is not None else (_hole(part.value, names),)
    code = ast.unparse(ast.JoinedStr([part]))
    return (Hole(_name_of(part.value), code),)


def _or_hole(node: ast.expr, names: Names, depth: int) -> Text:
    found = text_of(node, names, depth + 1)
    return (_hole(node, names),) if found is None else found


def _operated(node: ast.BinOp, names: Names, depth: int) -> Text | None:
    if isinstance(node.op, ast.Add):
        left, right = (text_of(side, names, depth + 1) for side in (node.left, node.right))
        if left is None and right is None:
            return None
        sides = ((node.left, left), (node.right, right))
        return tuple(
            piece
            for side, text in sides
            for piece in (text if text is not None else (_as_is(side, names),))
        )
    if isinstance(node.op, ast.Mod):
        text = text_of(node.left, names, depth + 1)
        if text is not None and all(isinstance(piece, str) for piece in text):
            return _percent("".join(map(str, text)), node.right, names, depth)
    return None


def _as_is(node: ast.expr, names: Names) -> Hole:
    """A value that is concatenated, and so is a text."""
    return Hole(_name_of(node), ast.unparse(node))


def _percent(text: str, given: ast.expr, names: Names, depth: int) -> Text | None:
    values = list(given.elts) if isinstance(given, ast.Tuple) else [given]
    keyed = {}
    if isinstance(given, ast.Dict):
        keyed = {
            key.value: value
            for key, value in zip(given.keys, given.values, strict=True)
            if isinstance(key, ast.Constant)
        }
    out: list[str | Hole] = []
    end = 0
    for match in _PERCENT.finditer(text):
        out.append(text[end : match.start()])
        end = match.end()
        if match[3] == "%":
            out.append("%")
            continue
        value = keyed.get(match[1]) if match[1] else values.pop(0) if values else None
        if value is None:
            return None
        if match[2] or match[3] != "s":
            code = f"{('%' + match[2] + match[3])!r} % ({ast.unparse(value)},)"
            out.append(Hole(_name_of(value), code))
        else:
            out += _or_hole(value, names, depth)
    return (*out, text[end:])


def _called(node: ast.Call, names: Names, depth: int) -> Text | None:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    plain = node.func.id if isinstance(node.func, ast.Name) else name
    if plain in ("dedent", "cleandoc") and len(node.args) == 1:
        text = text_of(node.args[0], names, depth + 1)
        whole = text is not None and all(isinstance(piece, str) for piece in text)
        return (_dedented(plain, "".join(map(str, text or ()))),) if whole else None
    if not isinstance(node.func, ast.Attribute):
        return None
    base = node.func.value
    if name in ("substitute", "safe_substitute"):
        return _substituted(base, node, names, depth)
    text = text_of(base, names, depth + 1)
    if text is None:
        return None
    if name == "format" and all(isinstance(piece, str) for piece in text):
        return _format("".join(map(str, text)), node, names, depth)
    if name in ("strip", "lstrip", "rstrip") and not node.args:
        return _stripped(text, name)
    if name == "join" and len(node.args) == 1 and isinstance(node.args[0], (ast.List, ast.Tuple)):
        return _joined(text, node.args[0], names, depth)
    return None


def _dedented(name: str, text: str) -> str:
    import textwrap

    return textwrap.dedent(text) if name == "dedent" else inspect.cleandoc(text)


def _stripped(text: Text, name: str) -> Text | None:
    out = list(text)
    for side, end in (("lstrip", 0), ("rstrip", -1)):
        piece = out[end] if out else ""
        if name in (side, "strip"):
            if not isinstance(piece, str):
                return None  # what a value is stripped of cannot be seen
            if out:
                out[end] = piece.lstrip() if side == "lstrip" else piece.rstrip()
    return tuple(out)


def _joined(mark: Text, listed: ast.List | ast.Tuple, names: Names, depth: int) -> Text:
    out: list[str | Hole] = []
    for index, item in enumerate(listed.elts):
        out += [*(mark if index else ()), *_or_hole(item, names, depth)]
    return tuple(out)


def _format(text: str, node: ast.Call, names: Names, depth: int) -> Text | None:
    keyed = {word.arg: word.value for word in node.keywords if word.arg}
    if len(keyed) < len(node.keywords) or any(isinstance(a, ast.Starred) for a in node.args):
        return None
    out: list[str | Hole] = []
    counted = 0
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError:
        return None
    for before, key, spec, conversion in parsed:
        out.append(before)
        if key is None:
            continue
        place = key or str(counted)
        counted += not key
        value: Any = keyed.get(place, _MISSING)
        if place.isdigit() and int(place) < len(node.args):
            value = node.args[int(place)]
        if value is _MISSING:
            return None
        if spec or conversion:
            form = "{" + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            out.append(Hole(_name_of(value), f"{form + '}'!r}.format({ast.unparse(value)})"))
        else:
            out += _or_hole(value, names, depth)
    return tuple(out)


def _substituted(base: ast.expr, node: ast.Call, names: Names, depth: int) -> Text | None:
    if isinstance(base, ast.Name):
        found = names.find(base.id)
        base, names = found if found is not None else (base, names)
    known = isinstance(base, ast.Call) and ast.unparse(base.func).endswith("Template")
    if not known or not isinstance(base, ast.Call) or len(base.args) != 1:
        return None
    text = text_of(base.args[0], names, depth + 1)
    if text is None or not all(isinstance(piece, str) for piece in text):
        return None
    keyed = {word.arg: word.value for word in node.keywords if word.arg}
    whole = "".join(map(str, text))
    out: list[str | Hole] = []
    end = 0
    for match in _DOLLAR.finditer(whole):
        out.append(whole[end : match.start()])
        end = match.end()
        name = match[2] or match[3]
        if match[1]:
            out.append("$")
        elif name in keyed:
            out += _or_hole(keyed[name], names, depth)
        else:
            return None
    return (*out, whole[end:])


def fields_of(text: Text) -> Text:
    """The text with each plain `{name}` as a value that is filled in, and `{{` as a brace."""
    out: list[str | Hole] = []
    for piece in text:
        try:
            parsed = list(string.Formatter().parse(piece)) if isinstance(piece, str) else []
        except ValueError:
            return text
        if isinstance(piece, Hole) or any(spec or form for _, _, spec, form in parsed):
            out.append(piece)
            continue
        for before, name, _, _ in parsed:
            out += [before] if before else []
            out += [Hole(name, name)] if name else []
    return tuple(out)


def literal_of(node: ast.expr, names: Names) -> object:
    """The value of a literal, or of a constant's name. Raises ValueError for anything else."""
    if isinstance(node, ast.Name):
        found = names.find(node.id)
        if found is None:
            raise ValueError(node.id)
        return literal_of(found[0], found[1])
    return ast.literal_eval(node)
