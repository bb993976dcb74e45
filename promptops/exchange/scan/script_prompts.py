"""Prompts in TypeScript and JavaScript by tree-sitter's syntax tree (the extra [scan]): what calls
of models send, and texts that read like prompts. Nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from ...errors import MissingExtra
from ..chat_text import slug
from .found_prompt import (
    FoundPrompt,
    Hole,
    Text,
    handed_over,
    instructs,
    looks_like_prompt,
    says_something,
)
from .script_fields import Fields, owner_of, texts_with_names
from .script_nodes import (
    callee_of,
    fragment_of,
    function_of,
    hole_of,
    line_of,
    operator_of,
    pairs_of,
    snake_of,
    source_of,
    unfiltered,
    walk,
)
from .script_values import joined_hole_of, text_hole_of

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
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}
# tags that take the common indentation away; their values are taken as they are
_DEDENTS = frozenset(("dedent", "outdent", "endent", "stripIndent"))
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

    Raises MissingExtra if tree-sitter is not installed.
    """
    body = text.encode("utf-8", "surrogatepass")
    root = _parser({".mts": ".ts", ".cts": ".ts"}.get(ending, ending)).parse(body).root_node
    found = list(_Script(root, body, file).prompts())
    yield from sorted(found, key=lambda prompt: prompt.line)


class _Script:
    def __init__(self, root: object, body: bytes, file: str) -> None:
        self.root, self.file = root, file
        self.lines = body.split(b"\n")
        self.names: dict[str, Any] = {}
        self.sent: set[str] = set()
        twice: set[str] = set()
        for node in walk(root):
            if node.type == "variable_declarator":
                name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
                if name is not None and name.type == "identifier" and value is not None:
                    key = source_of(name)
                    twice.update({key} & set(self.names))
                    self.names[key] = value
        for name in twice:
            del self.names[name]
        self.fields = Fields(root, self.names)
        self.taken: list[int] = []  # values of fields that the text being read is made of
        self.read: set[int] = set()  # those that a call was seen to send

    def prompts(self) -> Iterator[FoundPrompt]:
        covered: list[tuple[int, int]] = []
        for node in walk(self.root):
            if node.type == "call_expression":
                found = self._call(node)
                if found is not None:
                    covered.append((node.start_byte, node.end_byte))
                    yield found
        yield from self._named(covered)
        for node in walk(self.root):
            inside = any(a <= node.start_byte < b for a, b in covered)
            if node.type == "call_expression" and not inside:
                yield from self._handed(node)

    def _named(self, covered: Sequence[tuple[int, int]]) -> Iterator[FoundPrompt]:
        """Texts with a name that no call was seen to send; a piece of another one is left out."""
        found = []
        for name, node in texts_with_names(self.root):
            inside = any(a <= node.start_byte < b for a, b in covered)
            if name in self.sent or node.id in self.read or inside or self._skipped(node):
                continue
            if node.type == "member_expression":
                continue  # another name for a field, which is found itself
            text = self._text(node)
            if text is not None and looks_like_prompt(name, text, owner_of(node)):
                found.append((name, node, text))
        pieces = self.fields.pieces([(name, node) for name, node, _ in found])
        for name, node, text in found:
            if name not in pieces and node.id not in pieces:
                short = re.sub(r"(?i)_?prompt$", "", snake_of(name)) or snake_of(function_of(node))
                named = slug(short, slug(name, "prompt"))
                role = "system" if re.search(r"(?i)system|persona", name) else "user"
                yield FoundPrompt(self.file, line_of(node), named, ((role, text),))

    def _handed(self, node: Any) -> Iterator[FoundPrompt]:
        """Texts that are written where they are handed to a function of the project's own."""
        arguments = node.child_by_field_name("arguments")
        if arguments is None or arguments.type != "arguments":
            return
        callee = callee_of(node.child_by_field_name("function"))
        for item in arguments.named_children:
            if item.type in ("string", "template_string", "binary_expression"):
                text = self._text(item)
                if text is not None and handed_over(callee, text) and not self._skipped(item):
                    name = slug(snake_of(function_of(node)), slug(callee, "prompt"))
                    yield FoundPrompt(self.file, line_of(item), name, (("user", text),))

    def _skipped(self, node: object) -> bool:
        line = line_of(node)
        return any(_SKIP in text for text in self.lines[max(0, line - 2) : line])

    # -- texts

    def _text(self, node: Any, depth: int = 0) -> Text | None:
        if depth > _DEPTH:
            return None
        if node.type == "string":
            return ("".join(map(fragment_of, node.named_children)),)
        if node.type == "template_string":
            return tuple(self._template(node, depth))
        if node.type in ("parenthesized_expression", "as_expression", "satisfies_expression"):
            return self._text(node.named_children[0], depth + 1)
        if node.type == "binary_expression" and operator_of(node) == "+":
            sides = [node.child_by_field_name(side) for side in ("left", "right")]
            texts = [self._text(side, depth + 1) for side in sides]
            if all(text is None for text in texts):
                return None
            pairs = zip(sides, texts, strict=True)
            return tuple(p for side, text in pairs for p in (text or (text_hole_of(side),)))
        if node.type == "identifier" and source_of(node) in self.names:
            return self._text(self.names[source_of(node)], depth + 1)
        if node.type == "member_expression":
            value = self.fields.value(node)
            text = self._text(value, depth + 1) if value is not None else None
            self.taken += [value.id] if text is not None else []
            return text
        return self._called(node, depth) if node.type == "call_expression" else None

    def _tagged(self, tag: str, node: object, depth: int) -> Text | None:
        """A template with a tag that takes its indentation away; None with another tag."""
        if tag.rpartition(".")[2] not in _DEDENTS:
            return None
        pieces = tuple(self._template(node, depth))
        holes = [piece for piece in pieces if isinstance(piece, Hole)]
        parts = dedented("".join("\0" if isinstance(p, Hole) else p for p in pieces)).split("\0")
        if len(parts) != len(holes) + 1:
            return None
        out: list[str | Hole] = [parts[0]]
        for hole, part in zip(holes, parts[1:], strict=True):
            out += [hole, part]
        return tuple(piece for piece in out if piece != "")

    def _template(self, node: Any, depth: int) -> Iterator[str | Hole]:
        for part in node.named_children:
            if part.type != "template_substitution":
                yield fragment_of(part)
                continue
            inner = part.named_children[0] if part.named_children else part
            known = inner.type in ("identifier", "member_expression", "string", "template_string")
            text = self._text(inner, depth + 1) if known else None
            yield from text if text is not None else (text_hole_of(inner),)

    def _called(self, node: Any, depth: int) -> Text | None:
        callee = node.child_by_field_name("function")
        given = node.child_by_field_name("arguments")
        if given is not None and given.type == "template_string":
            return self._tagged(source_of(callee), given, depth)
        if callee is None or callee.type != "member_expression":
            return None
        name = source_of(callee.child_by_field_name("property"))
        base = callee.child_by_field_name("object")
        arguments = given.named_children
        if name == "trim" and not arguments:
            text = self._text(base, depth + 1)
            if text and all(isinstance(piece, str) for piece in text):
                return ("".join(map(str, text)).strip(),)
        if name == "join":
            base = unfiltered(base)
        if name == "join" and base.type == "array" and len(arguments) == 1:
            mark = self._text(arguments[0], depth + 1)
            if mark is None:
                return None
            out: list[str | Hole] = []
            for index, item in enumerate(base.named_children):
                text = self._text(item, depth + 1)
                out += [*(mark if index else ()), *(text or (joined_hole_of(item),))]
            return tuple(out)
        return None

    # -- calls

    def _call(self, node: Any) -> FoundPrompt | None:
        callee = callee_of(node.child_by_field_name("function"))
        arguments = node.child_by_field_name("arguments")
        if arguments is None or arguments.type != "arguments" or not arguments.named_children:
            return None
        given = arguments.named_children[0]
        pairs = pairs_of(given)
        if not _CALL.search(callee):
            # a function of the project's own, or the body of a request: its messages are seen
            listed = (pairs_of(item) for item in arguments.named_children)
            pairs = next((found for found in listed if "messages" in found), {})
            if not instructs(self._listed(pairs["messages"]) if pairs else []):
                return None
        messages: list[tuple[str, Text]] = []
        self.taken = []
        for word in (*_SYSTEM, *_ASKED):
            if word in pairs and word in _SYSTEM:
                messages += self._one("system", pairs[word])
            elif word in pairs:
                messages += self._listed(pairs[word])
        if callee.endswith(("fromMessages", "fromTemplate", "generateContent")) and not pairs:
            messages += self._listed(given)
        if not says_something(messages) or self._skipped(node):
            return None
        self.read.update(self.taken)
        for inner in walk(node):
            if inner.type == "identifier" and source_of(inner) in self.names:
                self.sent.add(source_of(inner))
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
                settings[snake_of(word) if word in ("maxTokens", "topP") else word] = literal
        name = slug(
            snake_of(function_of(node)), slug(self.file.rpartition("/")[2].split(".")[0], "x")
        )
        place, unseen = line_of(node), tuple(unread)
        return FoundPrompt(self.file, place, name, tuple(messages), model, settings, callee, unseen)

    def _literal(self, node: Any) -> object:
        if node.type == "number":
            value = float(source_of(node).replace("_", ""))
            return int(value) if value.is_integer() else value
        if node.type in ("true", "false"):
            return node.type == "true"
        if node.type == "identifier" and source_of(node) in self.names:
            return self._literal(self.names[source_of(node)])
        text = self._text(node)
        if node.type == "call_expression":  # openai("gpt-4o") of the AI SDK
            inner = node.child_by_field_name("arguments").named_children
            text = self._text(inner[0]) if len(inner) == 1 else None
        return "".join(map(str, text)) if text and all(isinstance(p, str) for p in text) else None

    def _one(self, role: str, node: object) -> list[tuple[str, Text]]:
        text = self._text(node)
        return [(_ROLES.get(role, role), text)] if text else []

    def _listed(self, node: Any) -> list[tuple[str, Text]]:
        if node.type == "identifier" and source_of(node) in self.names:
            found = self.names[source_of(node)]
            if found.type == "array":
                return self._listed(found)
        if node.type in ("as_expression", "satisfies_expression"):
            return self._listed(node.named_children[0])
        if node.type != "array":
            return self._one("user", node)
        out: list[tuple[str, Text]] = []
        for item in node.named_children:
            if item.type == "identifier":
                item = self.names.get(source_of(item), item)
            pairs = pairs_of(item)
            role, content = _bare(pairs.get("role")), pairs.get("content")
            if role is not None and content is not None and role.type == "string":
                name = "".join(map(fragment_of, role.named_children))
                out += self._content(name, content)
            elif item.type == "array" and len(item.named_children) == 2:
                first, second = item.named_children
                if first.type == "string":
                    out += self._one("".join(map(fragment_of, first.named_children)), second)
        return out

    def _content(self, role: str, node: Any) -> list[tuple[str, Text]]:
        """A message's content: a text, or its text parts; a value alone is one variable."""
        if node.type != "array":
            return [(role, self._text(node) or (hole_of(node),))]
        parts = (pairs_of(part).get("text") for part in node.named_children)
        return [(role, self._text(text) or (hole_of(text),)) for text in parts if text is not None]


def _bare(node: Any) -> Any:
    """The expression before `as const`."""
    typed = node is not None and node.type in ("as_expression", "satisfies_expression")
    return node.named_children[0] if typed else node


def dedented(text: str) -> str:
    """The text without the indentation that its indented lines share, and without blanks around."""
    lines = text.split("\n")
    deep = [len(found[1]) for line in lines if (found := re.match(r"([ \t]+)\S", line))]
    cut = min(deep, default=0)
    return "\n".join(line[cut:] if line[:1] in (" ", "\t") else line for line in lines).strip()
