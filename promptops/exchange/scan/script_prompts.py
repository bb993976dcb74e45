"""Prompts in TypeScript and JavaScript by tree-sitter's syntax tree (the extra [scan]): what calls
of models send, and texts that read like prompts. Nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ...errors import MissingExtra
from ..chat_text import slug
from .found_prompt import FoundPrompt, Hole, Text, looks_like_prompt, says_something

__all__ = ["prompts_in_script"]

_CALL = re.compile(
    r"(?:^|\.)(?:completions\.(?:create|parse|stream)|responses\.(?:create|parse|stream)|"
    r"messages\.(?:create|stream)|generateContent|generateText|streamText|generateObject|"
    r"streamObject|fromMessages|fromTemplate)$"
)
_SKIP = b"promptops: not-a-prompt"
_SYSTEM = ("system", "instructions", "systemInstruction")
_ASKED = ("messages", "input", "contents", "prompt")
_TRANSPORT = frozenset(("stream", "abortSignal", "signal", "timeout", "user", "metadata", "tools"))
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}
_DEPTH = 20


@lru_cache(maxsize=4)
def _parser(ending: str) -> Any:
    try:
        import tree_sitter
        import tree_sitter_javascript
        import tree_sitter_typescript
    except ImportError:
        raise MissingExtra("scanning TypeScript and JavaScript", extra="scan") from None
    grammars = {
        ".ts": tree_sitter_typescript.language_typescript,
        ".tsx": tree_sitter_typescript.language_tsx,
    }
    language = grammars.get(ending, tree_sitter_javascript.language)
    return tree_sitter.Parser(tree_sitter.Language(language()))


def prompts_in_script(text: str, file: str, ending: str) -> Iterator[FoundPrompt]:
    """The prompts of a file, in its order.

    Raises MissingExtra where tree-sitter is not installed.
    """
    body = text.encode("utf-8", "surrogatepass")
    root = _parser({".mts": ".ts", ".cts": ".ts"}.get(ending, ending)).parse(body).root_node
    found = list(_Script(root, body, file).prompts())
    yield from sorted(found, key=lambda prompt: prompt.line)


class _Script:
    def __init__(self, root: Any, body: bytes, file: str) -> None:
        self.root, self.file = root, file
        self.lines = body.split(b"\n")
        self.names: dict[str, Any] = {}
        self.sent: set[str] = set()
        twice: set[str] = set()
        for node in _walk(root):
            if node.type == "variable_declarator":
                name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
                if name is not None and name.type == "identifier" and value is not None:
                    key = _source(name)
                    twice.update({key} & set(self.names))
                    self.names[key] = value
        for name in twice:
            del self.names[name]

    def prompts(self) -> Iterator[FoundPrompt]:
        covered: list[tuple[int, int]] = []
        for node in _walk(self.root):
            if node.type == "call_expression":
                found = self._call(node)
                if found is not None:
                    covered.append((node.start_byte, node.end_byte))
                    yield found
        for name, node in self._texts():
            inside = any(a <= node.start_byte < b for a, b in covered)
            if name in self.sent or inside or self._skipped(node):
                continue
            text = self._text(node)
            if text is not None and looks_like_prompt(name, text):
                named = slug(re.sub(r"(?i)_?prompt$", "", _snake(name)), slug(name, "prompt"))
                role = "system" if re.search(r"(?i)system|persona", name) else "user"
                yield FoundPrompt(self.file, _line(node), named, ((role, text),))

    def _skipped(self, node: Any) -> bool:
        line = _line(node)
        return any(_SKIP in text for text in self.lines[max(0, line - 2) : line])

    def _texts(self) -> Iterator[tuple[str, Any]]:
        """(name, expression) of each declared or named text, functions that give one included."""
        for node in _walk(self.root):
            if node.type == "variable_declarator":
                name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
                if name is not None and value is not None:
                    yield _source(name), _given(value)
            elif node.type == "pair":
                key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
                if key is not None and value is not None:
                    yield _source(key).strip("'\""), _given(value)
            elif node.type == "function_declaration":
                name = node.child_by_field_name("name")
                if name is not None:
                    yield _source(name), _given(node)

    # -- texts

    def _text(self, node: Any, depth: int = 0) -> Text | None:
        if depth > _DEPTH:
            return None
        if node.type == "string":
            return ("".join(map(_fragment, node.named_children)),)
        if node.type == "template_string":
            return tuple(self._template(node, depth))
        if node.type in ("parenthesized_expression", "as_expression", "satisfies_expression"):
            return self._text(node.named_children[0], depth + 1)
        if node.type == "binary_expression" and _operator(node) == "+":
            sides = [node.child_by_field_name(side) for side in ("left", "right")]
            texts = [self._text(side, depth + 1) for side in sides]
            if all(text is None for text in texts):
                return None
            pairs = zip(sides, texts, strict=True)
            return tuple(p for side, text in pairs for p in (text or (_hole(side),)))
        if node.type == "identifier" and _source(node) in self.names:
            return self._text(self.names[_source(node)], depth + 1)
        return self._called(node, depth) if node.type == "call_expression" else None

    def _template(self, node: Any, depth: int) -> Iterator[str | Hole]:
        for part in node.named_children:
            if part.type != "template_substitution":
                yield _fragment(part)
                continue
            inner = part.named_children[0] if part.named_children else part
            known = inner.type in ("identifier", "string", "template_string")
            text = self._text(inner, depth + 1) if known else None
            yield from text if text is not None else (_hole(inner),)

    def _called(self, node: Any, depth: int) -> Text | None:
        callee = node.child_by_field_name("function")
        if callee is None or callee.type != "member_expression":
            return None
        name = _source(callee.child_by_field_name("property"))
        base = callee.child_by_field_name("object")
        arguments = node.child_by_field_name("arguments").named_children
        if name == "trim" and not arguments:
            text = self._text(base, depth + 1)
            if text and all(isinstance(piece, str) for piece in text):
                return ("".join(map(str, text)).strip(),)
        if name == "join":
            base = _unfiltered(base)
        if name == "join" and base.type == "array" and len(arguments) == 1:
            mark = self._text(arguments[0], depth + 1)
            if mark is None:
                return None
            out: list[str | Hole] = []
            for index, item in enumerate(base.named_children):
                text = self._text(item, depth + 1)
                out += [*(mark if index else ()), *(text or (_hole(item),))]
            return tuple(out)
        return None

    # -- calls

    def _call(self, node: Any) -> FoundPrompt | None:
        callee = _source(node.child_by_field_name("function"))
        arguments = node.child_by_field_name("arguments")
        if arguments is None or not _CALL.search(callee) or not arguments.named_children:
            return None
        given = arguments.named_children[0]
        pairs = _pairs(given)
        messages: list[tuple[str, Text]] = []
        for word in (*_SYSTEM, *_ASKED):
            if word in pairs and word in _SYSTEM:
                messages += self._one("system", pairs[word])
            elif word in pairs:
                messages += self._listed(pairs[word])
        if callee.endswith(("fromMessages", "fromTemplate", "generateContent")) and not pairs:
            messages += self._listed(given)
        if not says_something(messages) or self._skipped(node):
            return None
        for inner in _walk(node):
            if inner.type == "identifier" and _source(inner) in self.names:
                self.sent.add(_source(inner))
        model, settings, unread = None, {}, []
        for word, value in pairs.items():
            if word in (*_SYSTEM, *_ASKED) or word in _TRANSPORT:
                continue
            literal = self._literal(value)
            if literal is None:
                unread.append(word)
            elif word == "model":
                model = str(literal)
            else:
                settings[_snake(word) if word in ("maxTokens", "topP") else word] = literal
        name = slug(_snake(_function(node)), slug(self.file.rpartition("/")[2].split(".")[0], "x"))
        place, unseen = _line(node), tuple(unread)
        return FoundPrompt(self.file, place, name, tuple(messages), model, settings, callee, unseen)

    def _literal(self, node: Any) -> Any:
        if node.type == "number":
            value = float(_source(node).replace("_", ""))
            return int(value) if value.is_integer() else value
        if node.type in ("true", "false"):
            return node.type == "true"
        if node.type == "identifier" and _source(node) in self.names:
            return self._literal(self.names[_source(node)])
        text = self._text(node)
        if node.type == "call_expression":  # openai("gpt-4o") of the AI SDK
            inner = node.child_by_field_name("arguments").named_children
            text = self._text(inner[0]) if len(inner) == 1 else None
        return "".join(map(str, text)) if text and all(isinstance(p, str) for p in text) else None

    def _one(self, role: str, node: Any) -> list[tuple[str, Text]]:
        text = self._text(node)
        return [(_ROLES.get(role, role), text)] if text else []

    def _listed(self, node: Any) -> list[tuple[str, Text]]:
        if node.type == "identifier" and _source(node) in self.names:
            found = self.names[_source(node)]
            if found.type == "array":
                return self._listed(found)
        if node.type in ("as_expression", "satisfies_expression"):
            return self._listed(node.named_children[0])
        if node.type != "array":
            return self._one("user", node)
        out: list[tuple[str, Text]] = []
        for item in node.named_children:
            pairs = _pairs(item)
            role, content = pairs.get("role"), pairs.get("content")
            if role is not None and content is not None and role.type == "string":
                name = "".join(map(_fragment, role.named_children))
                out += [(name, self._text(content) or (_hole(content),))]
            elif item.type == "array" and len(item.named_children) == 2:
                first, second = item.named_children
                if first.type == "string":
                    out += self._one("".join(map(_fragment, first.named_children)), second)
        return out


def _walk(root: Any) -> Iterator[Any]:
    left = [root]
    while left:
        node = left.pop()
        yield node
        left += reversed(node.named_children)


def _unfiltered(node: Any) -> Any:
    """The array of `[...].filter(Boolean)`, whose empty parts say nothing; else the same."""
    callee = node.child_by_field_name("function") if node.type == "call_expression" else None
    if callee is None or not _source(callee).endswith(".filter"):
        return node
    return callee.child_by_field_name("object")


def _source(node: Any) -> str:
    return "" if node is None or node.text is None else str(node.text.decode("utf-8", "replace"))


def _line(node: Any) -> int:
    return int(node.start_point[0]) + 1


def _operator(node: Any) -> str:
    return _source(node.child_by_field_name("operator"))


def _given(node: Any) -> Any:
    """What a function gives where it is one expression; the expression itself otherwise."""
    if node.type in ("arrow_function", "function_declaration", "function_expression"):
        body = node.child_by_field_name("body")
        if body is not None and body.type == "statement_block":
            returned = [part for part in body.named_children if part.type == "return_statement"]
            if len(returned) == 1 and returned[0].named_children:
                return returned[0].named_children[0]
        return body if body is not None else node
    return node


def _pairs(node: Any) -> dict[str, Any]:
    if node.type != "object":
        return {}
    out = {}
    for part in node.named_children:
        if part.type == "pair":
            key = _source(part.child_by_field_name("key")).strip("'\"")
            out[key] = part.child_by_field_name("value")
        elif part.type == "shorthand_property_identifier":
            out[_source(part)] = part
    return out


def _hole(node: Any) -> Hole:
    code = _source(node)
    names = re.findall(r"[A-Za-z_$][\w$]*", code)
    called = ("trim", "toString", "join", "stringify", "JSON", "String", "this")
    plain = [name for name in names if name not in called]
    if not plain:
        return Hole("value", code)
    return Hole(_snake(plain[-1 if node.type == "member_expression" else 0]), code)


def _fragment(node: Any) -> str:
    """A piece of a string as its text: JavaScript's escapes."""
    text = _source(node)
    if node.type != "escape_sequence":
        return text
    rest = text[1:]
    if rest[:1] in ("u", "x"):
        digits = rest[1:].strip("{}")
        return chr(int(digits, 16)) if digits else rest
    if rest in ("\n", "\r\n"):
        return ""
    return _ESCAPES.get(rest, rest)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _function(node: Any) -> str:
    """The name of the function, method or constant that a call is in; "" for none."""
    while node is not None:
        if node.type in ("function_declaration", "method_definition", "variable_declarator"):
            inner = node.child_by_field_name("value")
            arrow = inner is not None and inner.type in ("arrow_function", "function_expression")
            if node.type != "variable_declarator" or arrow:
                return _source(node.child_by_field_name("name"))
        node = node.parent
    return ""
