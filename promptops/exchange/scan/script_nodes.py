"""What a node of tree-sitter's syntax tree says: its source, its line, the pairs of an object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .found_prompt import Hole

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}

_FUNCTIONS = frozenset(
    ("arrow_function", "function_declaration", "function_expression", "method_definition")
)


def walk(root: Any) -> Iterator[Any]:
    """The node and every named node below it."""
    left = [root]
    while left:
        node = left.pop()
        yield node
        left += reversed(node.named_children)


def unfiltered(node: Any) -> object:
    """The array of `[...].filter(Boolean)`, whose empty parts say nothing; else the same."""
    callee = node.child_by_field_name("function") if node.type == "call_expression" else None
    if callee is None or not source_of(callee).endswith(".filter"):
        return node
    return callee.child_by_field_name("object")


def source_of(node: Any) -> str:
    """Its text; "" without a node."""
    return "" if node is None or node.text is None else str(node.text.decode("utf-8", "replace"))


def callee_of(node: Any) -> str:
    """The dotted name of what is called, as `client.messages.create`; what comes before another
    call in a chain is left out.
    """
    names = []
    while node is not None and node.type == "member_expression":
        names.append(source_of(node.child_by_field_name("property")))
        node = node.child_by_field_name("object")
    short = node is not None and node.type in ("identifier", "this")
    names.append(source_of(node) if short else "")
    return ".".join(reversed(names))


def line_of(node: Any) -> int:
    """The line that it begins on, from 1."""
    return int(node.start_point[0]) + 1


def operator_of(node: Any) -> str:
    """The operator between two sides, or ""."""
    return source_of(node.child_by_field_name("operator"))


def given_of(node: Any) -> object:
    """What a function gives if it is one expression; the expression itself otherwise."""
    if node.type in _FUNCTIONS:
        body = node.child_by_field_name("body")
        if body is not None and body.type == "statement_block":
            returned = [part for part in body.named_children if part.type == "return_statement"]
            if len(returned) == 1 and returned[0].named_children:
                return returned[0].named_children[0]
        return body if body is not None else node
    return node


def pairs_of(node: Any) -> dict[str, Any]:
    """The values of an object by their keys; {} for anything else."""
    if node.type != "object":
        return {}
    out = {}
    for part in node.named_children:
        if part.type == "pair":
            key = source_of(part.child_by_field_name("key")).strip("'\"")
            out[key] = part.child_by_field_name("value")
        elif part.type == "shorthand_property_identifier":
            out[source_of(part)] = part
    return out


def hole_of(node: Any) -> Hole:
    """The hole that an expression leaves in a text."""
    code = source_of(node)
    names = re.findall(r"[A-Za-z_$][\w$]*", code)
    called = ("trim", "toString", "join", "stringify", "JSON", "String", "this")
    plain = [name for name in names if name not in called]
    if not plain:
        return Hole("value", code)
    return Hole(snake_of(plain[-1 if node.type == "member_expression" else 0]), code)


def fragment_of(node: Any) -> str:
    """A piece of a string as its text: JavaScript's escapes."""
    text = source_of(node)
    if node.type != "escape_sequence":
        return text
    rest = text[1:]
    if rest[:1] in ("u", "x"):
        digits = rest[1:].strip("{}")
        return chr(int(digits, 16)) if digits else rest
    if rest in ("\n", "\r\n"):
        return ""
    return _ESCAPES.get(rest, rest)


def snake_of(name: str) -> str:
    """The name in snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def function_of(node: Any) -> str:
    """The name of the function, method or constant that a call is in; "" for none."""
    while node is not None:
        if node.type in ("function_declaration", "method_definition", "variable_declarator"):
            inner = node.child_by_field_name("value")
            arrow = inner is not None and inner.type in ("arrow_function", "function_expression")
            if node.type != "variable_declarator" or arrow:
                return source_of(node.child_by_field_name("name"))
        node = node.parent
    return ""
