"""Values inside a text of TypeScript or JavaScript, as expressions of what the text shows."""

from __future__ import annotations

from typing import Any

from .found_prompt import Hole
from .script_nodes import hole_of, source_of

__all__ = ["joined_hole_of", "text_hole_of"]

# methods that give a text, whatever they are called on
_TEXTS = frozenset(
    (
        *("trim", "trimStart", "trimEnd", "toString", "join", "toUpperCase", "toLowerCase"),
        *("replace", "replaceAll", "padStart", "padEnd", "repeat", "substring", "toFixed"),
        *("toISOString", "toLocaleString", "normalize", "stringify"),
    )
)
_FUNCTIONS = frozenset(
    ("arrow_function", "function_declaration", "function_expression", "method_definition")
)


def text_hole_of(node: object) -> Hole:
    """The hole of a value in a template or sum; as a text, since there it becomes one."""
    hole = hole_of(node)
    return hole if _gives_text(node) else Hole(hole.name, f"String({hole.code})")


def joined_hole_of(node: object) -> Hole:
    """The hole of an item of `[...].join(...)`, which shows null and undefined as nothing."""
    hole = hole_of(node)
    return hole if _gives_text(node) else Hole(hole.name, f'String({hole.code} ?? "")')


def _gives_text(node: Any) -> bool:
    if node.type in ("string", "template_string"):
        return True
    if node.type == "identifier":
        return _declared_text(node, source_of(node))
    if node.type != "call_expression":
        return False
    callee = node.child_by_field_name("function")
    if callee is not None and callee.type == "member_expression":
        return source_of(callee.child_by_field_name("property")) in _TEXTS
    return source_of(callee) == "String"


def _declared_text(node: Any, name: str) -> bool:
    """Whether the innermost function that takes the name declares it as `string`."""
    while node is not None:
        parameters = node.child_by_field_name("parameters") if node.type in _FUNCTIONS else None
        for one in parameters.named_children if parameters is not None else ():
            pattern, typed = one.child_by_field_name("pattern"), one.child_by_field_name("type")
            if pattern is None:
                continue
            if pattern.type == "identifier" and source_of(pattern) == name:
                return one.type == "required_parameter" and _type(typed) == "string"
            if pattern.type == "object_pattern" and name in _taken(pattern):
                return name in _text_properties(typed)
        node = node.parent
    return False


def _type(annotation: object) -> str:
    return source_of(annotation).lstrip(": ").strip()


def _taken(pattern: Any) -> set[str]:
    """The names that `{ a, b }` takes out of an object."""
    plain = "shorthand_property_identifier_pattern"
    return {source_of(part) for part in pattern.named_children if part.type == plain}


def _text_properties(annotation: Any) -> set[str]:
    """The properties of `: { a: string; b: number }` that are always texts."""
    kinds = annotation.named_children if annotation is not None else []
    return {
        source_of(part.child_by_field_name("name"))
        for kind in kinds
        if kind.type == "object_type"
        for part in kind.named_children
        if part.type == "property_signature"
        and "?" not in source_of(part).partition(":")[0]
        and _type(part.child_by_field_name("type")) == "string"
    }
