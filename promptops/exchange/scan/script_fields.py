"""Texts with a name in TypeScript and JavaScript, and what `this.summarize` or `PROMPTS.review`
means: fields and getters of classes, members of enums, properties of objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .script_nodes import given_of, pairs_of, source_of, walk

__all__ = ["Fields", "owner_of", "texts_with_names"]

_CLASSES = frozenset(("class_declaration", "abstract_class_declaration", "class"))
_FIELDS = frozenset(("public_field_definition", "field_definition"))
_TYPED = frozenset(("as_expression", "satisfies_expression", "parenthesized_expression"))
_NESTED = 5


def _name_of(node: Any) -> str:
    name = node.child_by_field_name("name") or node.child_by_field_name("property")
    return source_of(name or node.child_by_field_name("key")).strip("'\"")


def texts_with_names(root: object) -> Iterator[tuple[str, Any]]:
    """(name, expression) of each declared or named text, functions that give one included."""
    for node in walk(root):
        if node.type in ("function_declaration", "method_definition"):
            given, name = given_of(node), _name_of(node)
        elif node.type in ("variable_declarator", "pair", "enum_assignment", *_FIELDS):
            value, name = node.child_by_field_name("value"), _name_of(node)
            if value is None:
                continue
            given = given_of(value)
        else:
            continue
        if name:
            yield name, given


def owner_of(node: Any) -> str:
    """The name of the class, enum or object that a named text is directly in; "" for none."""
    while node is not None and node.type != "program":
        node = node.parent
        if node is not None and node.type in (*_CLASSES, "enum_declaration"):
            return _name_of(node)
        if node is not None and node.type == "object":
            holder = node.parent
            while holder is not None and holder.type in _TYPED:
                holder = holder.parent
            named = holder is not None and holder.type in ("variable_declarator", *_FIELDS)
            return _name_of(holder) if named else ""
        if node is not None and node.type in ("statement_block", "call_expression"):
            inside = node.parent is not None and node.parent.type == "method_definition"
            if not inside:
                return ""
    return ""


def _used_whole(node: Any) -> bool:
    """Whether the whole text of a name is handed on here, by itself."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "member_expression" and parent.child_by_field_name("object") == node:
        called = parent.parent
        method = source_of(parent.child_by_field_name("property"))
        filled = method in ("replace", "replaceAll", "trim", "format")
        return filled and called is not None and called.type == "call_expression"
    return parent.type in ("arguments", "return_statement")


def _used_as_piece(node: Any) -> bool:
    """Whether a name is used in a sum, in a template or after `+=`."""
    kinds = ("binary_expression", "template_substitution", "augmented_assignment_expression")
    return node.parent is not None and node.parent.type in kinds


class Fields:
    """names: the variables of the file. A field that is assigned anywhere means nothing certain."""

    def __init__(self, root: Any, names: Mapping[str, object]) -> None:
        self.root, self.names = root, names
        self.types: dict[str, Any] = {}
        self.assigned: set[str] = set()
        self.extended: set[str] = set()
        twice: set[str] = set()
        for node in walk(root):
            if node.type in (*_CLASSES, "enum_declaration") and _name_of(node):
                twice.update({_name_of(node)} & set(self.types))
                self.types[_name_of(node)] = node
            elif node.type == "class_heritage":
                self.extended.update(source_of(part) for part in walk(node))
            elif node.type in ("assignment_expression", "augmented_assignment_expression"):
                left = node.child_by_field_name("left")
                if left is not None and left.type == "member_expression":
                    self.assigned.add(source_of(left.child_by_field_name("property")))
        for name in twice:
            del self.types[name]

    def value(self, node: Any, depth: int = 0) -> Any:
        """The expression that a member such as `this.x` has; None if that is not certain."""
        name = source_of(node.child_by_field_name("property"))
        if depth > _NESTED or name in self.assigned:
            return None
        base, owner = node.child_by_field_name("object"), None
        if base.type == "this":
            owner = self._class_around(base)
        elif base.type == "member_expression":
            owner = self._made(self.value(base, depth + 1))
        elif base.type == "identifier":
            owner = self.types.get(source_of(base)) or self._made(self.names.get(source_of(base)))
        if owner is None or (base.type == "this" and _name_of(owner) in self.extended):
            return None
        return _members(owner).get(name)

    def pieces(self, found: Sequence[tuple[str, Any]]) -> set[str | int]:
        """Names, and values of fields, that are only used inside other texts."""
        pieces: set[str | int] = {
            source_of(inner)
            for name, node in found
            for inner in walk(node)
            if inner.type == "identifier" and source_of(inner) != name
        }
        whole: set[str | int] = set()
        for node in walk(self.root):
            value = self.value(node) if node.type == "member_expression" else None
            key = source_of(node) if node.type == "identifier" else value.id if value else None
            if key is not None and _used_whole(node):
                whole.add(key)
            elif value is not None and not _used_as_piece(node):
                whole.add(value.id)
            elif value is not None:
                pieces.add(value.id)
        return pieces - whole

    def _made(self, value: Any) -> object:
        """The object or class that a value is made of."""
        while value is not None and value.type in _TYPED:
            value = value.named_children[0]
        if value is None:
            return None
        if value.type == "call_expression":
            frozen = source_of(value.child_by_field_name("function")) == "Object.freeze"
            given = value.child_by_field_name("arguments").named_children if frozen else []
            return self._made(given[0]) if len(given) == 1 else None
        if value.type == "new_expression":
            return self.types.get(source_of(value.child_by_field_name("constructor")))
        return value if value.type == "object" else None

    def _class_around(self, node: Any) -> object:
        while node is not None and node.type not in _CLASSES:
            if node.type in ("function_declaration", "function_expression", "object"):
                inner = node.type == "object" and node.parent.type != "method_definition"
                if not inner:
                    return None
            node = node.parent
        return node


def _members(owner: Any) -> dict[str, object]:
    if owner.type == "object":
        spread = any(part.type == "spread_element" for part in owner.named_children)
        return {} if spread else pairs_of(owner)
    out: dict[str, Any] = {}
    body = owner.child_by_field_name("body")
    for node in body.named_children if body is not None else []:
        if node.type in ("enum_assignment", *_FIELDS):
            value = node.child_by_field_name("value")
            if value is not None:
                out[_name_of(node)] = value
        elif node.type == "method_definition" and any(p.type == "get" for p in node.children):
            out[_name_of(node)] = given_of(node)
    return out
