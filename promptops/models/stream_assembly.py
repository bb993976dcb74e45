"""A stream of chat-completion chunks, put together into the body of the same call unstreamed, so
that one reader serves both.
"""

from __future__ import annotations

import json
from typing import Any

from ..errors import CallError
from .failures import damaged, error_of_body
from .reply_parts import chosen, ending, reasoning_of, text_of

__all__ = ["Assembly"]


class Assembly:
    """A stream's chunks, put together into the body that an unstreamed call would have had."""

    def __init__(self) -> None:
        self.body: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {"content": [], "refusal": [], "reasoning_content": []}
        self._calls: list[dict[str, object]] = []
        self._last: dict[object, dict[str, object]] = {}  # index -> the call that it names now
        self._index: object = None  # of the answer, where several were asked for
        self._finish: object = None
        self._begun = False

    def add(self, chunk: object) -> str:
        """Take in a chunk; the piece of the answer's text that it brought.

        Raises CallError for an error in the stream.
        """
        if not isinstance(chunk, dict) or (chunk.get("error") and not chunk.get("choices")):
            raise error_of_body(chunk, {})
        if chunk.get("object") == "error":  # vLLM's, which is the chunk itself
            raise error_of_body({"error": chunk}, {})
        for name in ("id", "model", "system_fingerprint", "usage", "service_tier"):
            if chunk.get(name) is not None:
                self.body[name] = chunk[name]
        choice, self._index = chosen(chunk.get("choices"), self._index)
        if choice is None:
            return ""
        if choice.get("error"):
            raise error_of_body(choice, {})
        self._begun = True
        self._finish = ending(self._finish, choice.get("finish_reason"))
        delta = choice.get("delta")
        return self._add_delta(delta) if isinstance(delta, dict) else ""

    def finished(self) -> dict[str, object]:
        """The whole body.

        Raises CallError of class connection if the stream broke off before the answer's end.
        """
        if self._begun and self._finish is None:
            raise CallError(
                "the stream ended before the answer did.", failure="connection", code="200 cut"
            )
        message: dict[str, object] = {
            name: "".join(parts) if parts else None for name, parts in self._texts.items()
        }
        if self._calls:
            message["tool_calls"] = self._calls
        choices = [{"message": message, "finish_reason": self._finish}] if self._begun else []
        return {**self.body, "choices": choices}

    def _add_delta(self, delta: dict[str, Any]) -> str:
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self._add_call(call)
        if isinstance(delta.get("function_call"), dict):  # calls before they had a list
            self._add_call({"function": delta["function_call"], "index": 0})
        if isinstance(delta.get("refusal"), str):
            self._texts["refusal"].append(delta["refusal"])
        if thought := reasoning_of(delta):
            self._texts["reasoning_content"].append(thought)
        content = delta.get("content")
        piece = content if isinstance(content, str) else text_of(content)
        if piece is not None:
            self._texts["content"].append(piece)
        return piece or ""

    def _add_call(self, call: dict[str, object]) -> None:
        kind = "custom" if isinstance(call.get("custom"), dict) else "function"
        written = "input" if kind == "custom" else "arguments"
        function = call.get(kind)
        function = function if isinstance(function, dict) else {}
        made = self._meant(call, function)
        made["id"] = call.get("id") or made["id"]
        if kind == "custom" and made.pop("function", None) is not None:
            made |= {"type": kind, kind: {"name": "", written: ""}}
        into, given = made[kind], function.get("name")
        if isinstance(given, str) and given and not into[written] and given != into["name"]:
            # a name comes whole, sometimes again in every chunk, seldom in pieces
            into["name"] = given if given.startswith(into["name"]) else into["name"] + given
        arguments = function.get(written)
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if isinstance(arguments, str):
            into[written] += arguments

    def _meant(self, call: dict[str, object], function: dict[str, object]) -> dict[str, Any]:
        """The call that a piece continues, or a new one: some endpoints give parallel calls the
        same index and tell them apart by id alone, or the same id and tell them apart by index, or
        give neither.
        """
        index, identity = call.get("index"), call.get("id")
        if isinstance(index, (dict, list)):
            raise damaged(f"the index of a tool call is a {type(index).__name__}")
        named = bool(function.get("name"))
        if identity:
            known = next((made for made in self._calls if made["id"] == identity), None)
            if known is not None and not (
                named and index is not None and index not in self._last and _whole(known)
            ):
                return known
        last = self._calls[-1] if self._calls else None
        made = self._last.get(index) if index is not None else last
        other = made is not None and bool(identity) and bool(made["id"])
        if made is not None and not identity and not made["id"]:  # both whole: not one in pieces
            other = bool(function.get("arguments")) and _said(made)
        if made is None or (other and named and _whole(made)):
            made = {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
            self._calls.append(made)
        self._last[index] = made
        return made


def _said(call: dict[str, Any]) -> bool:
    """Whether a call has arguments so far."""
    return bool(call.get("function", {}).get("arguments"))


def _whole(call: dict[str, Any]) -> bool:
    """Whether nothing can be missing of a call: its arguments are JSON, or it has none."""
    try:
        json.loads(call.get("function", {}).get("arguments") or "{}")
    except (ValueError, RecursionError):
        return False
    return True
