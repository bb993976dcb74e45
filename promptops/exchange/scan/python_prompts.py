"""Prompts in Python source: what its calls of models send, and texts that read like prompts."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from ..chat_text import slug
from .found_prompt import FoundPrompt, Text, instructs, says_something
from .python_named import named_texts
from .python_source import OtherFiles, PythonSource
from .python_texts import Names, fields_of, literal_of, text_of

__all__ = ["prompts_in_python"]

_CALL = re.compile(
    r"(?:^|\.)(?:chat\.completions\.(?:create|parse|stream)|responses\.(?:create|parse|stream)|"
    r"messages\.(?:create|stream)|ChatCompletion\.a?create|completions\.create|"
    r"generate_content(?:_async|_stream)?|a?completion|chat|ChatPromptTemplate|PromptTemplate|"
    r"from_messages|from_template)$"
)
# takes a list of messages as its first argument, by whatever name the model has
_SENDS = re.compile(r"\.a?(?:invoke|stream|batch|generate|complete|predict_messages)$")
# a template of LangChain, whose {names} are filled when it is asked
_TEMPLATE = re.compile(r"(?:PromptTemplate|from_messages|from_template)$")
_KEEPS = re.compile(r"\.(?:append|extend|insert|update)$")  # keeps messages, and sends none
_SPELLED = (
    *("messages", "input", "prompt", "contents", "system", "instructions", "system_instruction"),
    *("template", "config"),
)
_TRANSPORT = frozenset(
    (
        *("stream", "timeout", "user", "metadata", "extra_headers", "api_key", "base_url", "n"),
        *("tools", "tool_choice", "response_format"),
    )
)
_MESSAGES = {
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "user",
}
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}


def prompts_in_python(
    text: str, tree: ast.Module, file: str, elsewhere: OtherFiles
) -> Iterator[FoundPrompt]:
    """The prompts of a file, in its order. tree: of the text."""
    yield from _PythonFile(PythonSource(text, file, tree, elsewhere)).prompts()


class _PythonFile:
    def __init__(self, source: PythonSource) -> None:
        self.source = source
        self.lost = False  # whether the prompt that is read has a message that cannot be seen

    def prompts(self) -> Iterator[FoundPrompt]:
        whole = Names(self.source.module, elsewhere=self.source.elsewhere)
        found = [*self._sent(self.source.tree, "", lambda: whole)]
        found += named_texts(self.source)
        yield from sorted(found, key=lambda prompt: prompt.line)

    # -- calls

    def _sent(
        self, body: ast.AST, function: str, names: Callable[[], Names]
    ) -> Iterator[FoundPrompt]:
        for node in ast.iter_child_nodes(body):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield from self._sent(node, node.name, cache(partial(self.source.inside, node)))
                continue
            found = None
            if isinstance(node, ast.Call):
                found = self._call(node, function, names)
            elif isinstance(node, ast.Dict):
                found = self._body(node, function, names)
            if found is not None:
                yield found
                continue
            yield from self._sent(node, function, names)

    def _call(
        self, node: ast.Call, function: str, lazily: Callable[[], Names]
    ) -> FoundPrompt | None:
        given = {word.arg: word.value for word in node.keywords if word.arg}
        if not (given or node.args):
            return None
        callee = ast.unparse(node.func)
        known = _CALL.search(callee) is not None
        first = node.args[0] if node.args else None
        if first is not None and known and not set(given) & set(_SPELLED):
            given["template" if callee.endswith("from_template") else "messages"] = first
        elif not known and "messages" not in given:
            listed = _messages_among(node.args)
            if _SENDS.search(callee) and isinstance(first, ast.Name):
                found = lazily().find(first.id)
                listed = first if found is not None and _is_messages(found[0]) else listed
            if listed is None or _KEEPS.search(callee):
                return None
            given["messages"] = listed
        return self._found(node, given, (callee, known), function, lazily())

    def _body(
        self, node: ast.Dict, function: str, lazily: Callable[[], Names]
    ) -> FoundPrompt | None:
        """The body of a request, or the state of a graph: a dictionary with messages in it."""
        given = {
            key.value: value
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
        if not _is_messages(given.get("messages")):
            return None
        return self._found(node, given, ("", False), function, lazily())

    def _found(
        self,
        node: ast.Call | ast.Dict,
        given: Mapping[str, ast.expr],
        call: tuple[str, bool],
        function: str,
        names: Names,
    ) -> FoundPrompt | None:
        """call: the callee, and whether it is known to send what it is given to a model."""
        self.lost = False
        messages = self._messages(given, names)
        enough = says_something(messages) if call[1] else instructs(messages)
        if not enough or self.source.skipped(node.lineno):
            return None
        self.source.note(node, names)
        settings, unread, model = {}, ["messages"] if self.lost else [], None
        kept = [f"**{ast.unparse(word.value)}" for word in _keywords(node) if word.arg is None]
        for word, value in given.items():
            if word in _TRANSPORT:
                kept.append(f"{word}={ast.unparse(value)}")
            if word in _SPELLED or word in _TRANSPORT:
                continue
            try:
                literal = literal_of(value, names)
            except (ValueError, TypeError, SyntaxError, RecursionError):
                unread.append(word)
                kept.append(f"{word}={ast.unparse(value)}")
                continue
            if word == "model":
                model = literal if isinstance(literal, str) else None
            else:
                settings[word] = literal
        file = self.source.file
        name = slug(function or self._assigned(node) or file.rpartition("/")[2][:-3], "prompt")
        texts, place = tuple(messages), node.lineno
        if _TEMPLATE.search(call[0]):
            texts = tuple((role, fields_of(text)) for role, text in texts)
        return FoundPrompt(
            file, place, name, texts, model, settings, call[0], tuple(unread), tuple(kept)
        )

    def _assigned(self, node: ast.expr) -> str:
        return next((name for name, value in self.source.module.items() if value is node), "")

    def _messages(self, given: Mapping[str, ast.expr], names: Names) -> list[tuple[str, Text]]:
        out: list[tuple[str, Text]] = []
        for word in ("system", "instructions", "system_instruction"):
            if word in given:
                out += self._one("system", given[word], names)
        config = given.get("config")
        inner = config.keywords if isinstance(config, ast.Call) else []
        for key in inner:
            if key.arg == "system_instruction":
                out += self._one("system", key.value, names)
        for word in ("messages", "input", "contents", "prompt", "template"):
            if word in given:
                listed = self._listed(given[word], names)
                if not listed and word in ("input", "contents", "prompt"):
                    listed = self._content("user", given[word], names)
                self.lost = self.lost or not listed
                out += listed
        return out

    def _one(self, role: str, node: ast.expr, names: Names) -> list[tuple[str, Text]]:
        text = text_of(node, names)
        return [(role, text)] if text is not None and any(text) else []

    def _listed(self, node: ast.expr, names: Names, depth: int = 0) -> list[tuple[str, Text]]:
        if isinstance(node, ast.Name) and depth < 5:
            found = names.find(node.id)
            if found is not None and isinstance(found[0], (ast.List, ast.Name, ast.BinOp)):
                listed = self._listed(found[0], found[1], depth + 1)
                if listed:
                    return listed
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            sides = (self._listed(node.left, names, depth + 1), node.right)
            if isinstance(node.left, ast.List) or isinstance(node.right, ast.List):
                both = (sides[0], self._listed(sides[1], names, depth + 1))
                self.lost = self.lost or not all(both)
                return [*both[0], *both[1]]
        if isinstance(node, (ast.List, ast.Tuple)):
            items = [self._item(item, names) for item in node.elts]
            self.lost = self.lost or not all(items)
            return [found for item in items for found in item]
        return self._one("user", node, names)

    def _item(self, node: ast.expr, names: Names) -> list[tuple[str, Text]]:
        if isinstance(node, ast.Dict):
            keyed = {
                key.value: value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            }
            role = keyed.get("role")
            content = keyed.get("content")
            if isinstance(role, ast.Constant) and content is not None:
                return self._content(str(role.value), content, names)
            return []
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            role = node.elts[0]
            if isinstance(role, ast.Constant) and isinstance(role.value, str):
                return self._one(_ROLES.get(role.value, role.value), node.elts[1], names)
        if isinstance(node, ast.Call):
            kind = ast.unparse(node.func).removesuffix(".from_template").rpartition(".")[2]
            inner: Any = node.args[0] if node.args else None
            inner = next((w.value for w in node.keywords if w.arg == "content"), inner)
            if kind in _MESSAGES and inner is not None:
                return self._content(_MESSAGES[kind], inner, names)
        return []

    def _content(self, role: str, node: ast.expr, names: Names) -> list[tuple[str, Text]]:
        """A message's content: a text, or its text parts; a value alone is one variable."""
        if isinstance(node, ast.List):
            return [
                found
                for part in node.elts
                if isinstance(part, ast.Dict)
                for key, value in zip(part.keys, part.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "text"
                for found in self._one(role, value, names)
            ]
        text = text_of(node, names)
        if text is None:
            text = text_of(ast.JoinedStr([ast.FormattedValue(node, -1, None)]), names)
        return [(role, text)] if text else []


def _keywords(node: ast.Call | ast.Dict) -> list[ast.keyword]:
    return node.keywords if isinstance(node, ast.Call) else []


def _messages_among(arguments: list[ast.expr]) -> ast.expr | None:
    return next((given for given in arguments if _is_messages(given)), None)


def _is_messages(node: ast.expr | None) -> bool:
    """Whether an expression is a list with a message in it, or one that is added to."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_messages(node.left) or _is_messages(node.right)
    return isinstance(node, ast.List) and any(map(_is_message, node.elts))


def _is_message(node: ast.expr) -> bool:
    if isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        return {"role", "content"} <= keys
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node.func).removesuffix(".from_template").rpartition(".")[2] in _MESSAGES
