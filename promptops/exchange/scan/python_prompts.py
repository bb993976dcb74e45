"""Prompts in Python source: what its calls of models send, and texts that read like prompts."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from ..chat_text import slug
from .found_prompt import FoundPrompt, Text, looks_like_prompt, says_something
from .python_texts import Names, literal_of, text_of

__all__ = ["Elsewhere", "prompts_in_python", "tables_of"]

Elsewhere = Callable[[str], "tuple[ast.expr, Names] | None"]
_CALL = re.compile(
    r"(?:^|\.)(?:chat\.completions\.(?:create|parse|stream)|responses\.(?:create|parse|stream)|"
    r"messages\.(?:create|stream)|ChatCompletion\.a?create|completions\.create|"
    r"generate_content(?:_async|_stream)?|a?completion|chat|ChatPromptTemplate|PromptTemplate|"
    r"from_messages|from_template)$"
)
_SPELLED = (
    *("messages", "input", "prompt", "contents", "system", "instructions", "system_instruction"),
    *("template", "config"),
)
_TRANSPORT = frozenset(
    (*("stream", "timeout", "user", "metadata", "extra_headers", "api_key", "base_url"), "n")
)
_MESSAGES = {
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "user",
}
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}
_SKIP = "promptops: not-a-prompt"


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


def prompts_in_python(
    text: str, tree: ast.Module, file: str, elsewhere: Elsewhere
) -> Iterator[FoundPrompt]:
    """The prompts of a file, in its order. tree: of the text."""
    yield from _File(text, file, tree, elsewhere).prompts()


class _File:
    def __init__(self, text: str, file: str, tree: ast.Module, elsewhere: Elsewhere) -> None:
        self.lines = text.splitlines()
        self.file, self.tree, self.elsewhere = file, tree, elsewhere
        self.module = tables_of(tree)
        self.sent: set[str] = set()
        self.read: set[int] = set()  # expressions that a reported call reads, by id

    def prompts(self) -> Iterator[FoundPrompt]:
        whole = Names(self.module, elsewhere=self.elsewhere)
        found = [*self._sent(self.tree, "", lambda: whole)]
        found += self._texts()
        found += self._local_texts()
        yield from sorted(found, key=lambda prompt: prompt.line)

    def _skipped(self, line: int) -> bool:
        near = self.lines[max(0, line - 2) : line]
        return any(_SKIP in text for text in near)

    # -- calls

    def _sent(
        self, body: ast.AST, function: str, names: Callable[[], Names]
    ) -> Iterator[FoundPrompt]:
        for node in ast.iter_child_nodes(body):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield from self._sent(node, node.name, cache(partial(self._inside, node)))
                continue
            if isinstance(node, ast.Call):
                found = self._call(node, function, names)
                if found is not None:
                    yield found
                    continue
            yield from self._sent(node, function, names)

    def _inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Names:
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
        return Names(module, own, texts, self.elsewhere)

    def _call(
        self, node: ast.Call, function: str, lazily: Callable[[], Names]
    ) -> FoundPrompt | None:
        given = {word.arg: word.value for word in node.keywords if word.arg}
        if not (given or node.args):
            return None
        callee = ast.unparse(node.func)
        if not _CALL.search(callee) and "messages" not in given:
            return None
        names = lazily()
        if callee.endswith(("from_messages", "from_template")) and node.args:
            given.setdefault("messages" if "messages" in callee else "template", node.args[0])
        messages = self._messages(given, names)
        if not says_something(messages) or self._skipped(node.lineno):
            return None
        self._note(node, names)
        settings, unread, model = {}, [], None
        for word, value in given.items():
            if word in _SPELLED or word in _TRANSPORT:
                continue
            try:
                literal = literal_of(value, names)
            except (ValueError, TypeError, SyntaxError, RecursionError):
                unread.append(word)
                continue
            if word == "model":
                model = literal if isinstance(literal, str) else None
            else:
                settings[word] = literal
        name = slug(function or self._assigned(node) or self.file.rpartition("/")[2][:-3], "prompt")
        return FoundPrompt(
            self.file, node.lineno, name, tuple(messages), model, settings, callee, tuple(unread)
        )

    def _assigned(self, node: ast.Call) -> str:
        return next((name for name, value in self.module.items() if value is node), "")

    def _note(self, node: ast.Call, names: Names) -> None:
        """Names that the call reads are not prompts of their own."""
        left: list[ast.AST] = [node]
        while left:
            for inner in ast.walk(left.pop()):
                if isinstance(inner, ast.Name) and inner.id not in self.sent:
                    value = names.own.get(inner.id) or self.module.get(inner.id)
                    if value is not None and id(value) not in self.read:
                        self.read.add(id(value))
                        self.sent.update({inner.id} & set(self.module))
                        left.append(value)

    def _messages(self, given: dict[str, ast.expr], names: Names) -> list[tuple[str, Text]]:
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
                out += self._listed(given[word], names)
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
                return [*sides[0], *self._listed(sides[1], names, depth + 1)]
        if isinstance(node, (ast.List, ast.Tuple)):
            return [found for item in node.elts for found in self._item(item, names)]
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
                return self._one(_MESSAGES[kind], inner, names)
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

    # -- texts that no call was seen to send

    def _texts(self) -> Iterator[FoundPrompt]:
        kinds = (ast.Module, ast.ClassDef)
        bodies = [node for node in ast.walk(self.tree) if isinstance(node, kinds)]
        for body in bodies:
            for name, value in tables_of(body).items():
                if name in self.sent or self._skipped(value.lineno):
                    continue
                text = text_of(value, Names(self.module, elsewhere=self.elsewhere))
                if text is not None and looks_like_prompt(name, text):
                    named = slug(re.sub(r"(?i)_?prompt$", "", name), slug(name, "prompt"))
                    role = "system" if re.search(r"(?i)system|persona", name) else "user"
                    yield FoundPrompt(self.file, value.lineno, named, ((role, text),))

    def _local_texts(self) -> Iterator[FoundPrompt]:
        """Texts of functions that no call was seen to send: they are handed to a function of the
        project's own.
        """
        seen: set[int] = set()
        for function in ast.walk(self.tree):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            names = cache(partial(self._inside, function))
            for node in ast.walk(function):
                name, value = _named_text(node, function.name)
                if value is None or id(value) in seen | self.read:
                    continue
                seen.add(id(value))
                if self._fills(value) or self._skipped(value.lineno):
                    continue
                text = text_of(value, names())
                if text is not None and looks_like_prompt(name, text):
                    role = "system" if re.search(r"(?i)system|persona", name) else "user"
                    named = slug(function.name, slug(name, "prompt"))
                    yield FoundPrompt(self.file, value.lineno, named, ((role, text),))

    def _fills(self, value: ast.expr) -> bool:
        """Whether it fills a constant of the file in, which is found itself."""
        called = value.func if isinstance(value, ast.Call) else None
        base = called.value if isinstance(called, ast.Attribute) else None
        return isinstance(base, ast.Name) and base.id in self.module


def _named_text(node: ast.AST, function: str) -> tuple[str, ast.expr | None]:
    """A text that is given a name, or returned by a function, which is its name then."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name, value = node.targets[0].id, node.value
    elif isinstance(node, ast.Return) and node.value is not None:
        name, value = function, node.value
    else:
        return "", None
    return (name, value) if isinstance(value, _TEXTS) else ("", None)


_TEXTS = (ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call)
