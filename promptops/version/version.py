"""What a version is: messages, variables, model name, settings, tools and response format, named by
their content.

The same content is the same version on any machine; one changed character is another. Author, note,
date and the variables' descriptions live beside it, never in the id. What was evaluated is byte for
byte what ships, because the lab and the application call the same `render` here. Only the standard
library is imported.
"""

from __future__ import annotations

import copy

from ..canonical import json_copy, tagged
from ..errors import RenderError, VersionError
from . import renderer
from .identity import Identity, carried, identified
from .message import checked_history, checked_messages, filled, variable_names
from .request_forms import checked_api, to_form
from .setting import checked_map, checked_settings, checked_tools
from .variable import Variable, collect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .diff import VersionDiff

    Message = dict[str, Any]

__all__ = ["FORM", "PromptVersion"]

FORM = "p1"  # names the canonical form of `content()`: change one, change the other


class PromptVersion:
    """One wording with the model and settings that it was written for; immutable, equal by content.

    Messages, tools and settings are written as for chat completions in every form.

    Args:
        messages: one text (a single user message), or a list of ``{"role", "content"}`` messages in
            sending order. Text may hold ``{{name}}`` variables; ``{"role": "history"}`` marks where
            a conversation is spliced in.
        model: the model's name, or None if each call names it.
        variables: name -> type, or -> ``{"type", "default", "description", "example"}``; undeclared
            ones are required strings.
        settings: a JSON map for the model (temperature, stop, ...); never endpoints or secrets.
        tools: as chat completions take them.
        response_format: as chat completions take it.
        api: the form that it is sent in: "chat", "responses", "anthropic" or "gemini".

    Raises:
        VersionError, TemplateError: naming the message or setting at fault, also when the form
            has no place for it.
    """

    __slots__ = (
        "_history",
        "_id",
        "_messages",
        "_response_format",
        "_settings",
        "_tools",
        "api",
        "model",
        "variables",
    )

    _history: bool
    _id: str
    _messages: list[Message]
    _response_format: dict[str, Any] | None
    _settings: dict[str, object]
    _tools: list[dict[str, Any]]
    api: str
    model: str | None
    variables: tuple[Variable, ...]

    def __init__(
        self,
        messages: str | Sequence[Mapping[str, object]],
        *,
        model: str | None = None,
        variables: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        tools: Sequence[Mapping[str, object]] | None = None,
        response_format: Mapping[str, object] | None = None,
        api: str | None = None,
    ) -> None:
        listed: Any = (
            [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        )
        checked = checked_messages(listed)
        if model is not None and (not isinstance(model, str) or not model.strip()):
            raise VersionError(f"model is {model!r}; give the model's name as text, or None.")
        used = variable_names(checked)
        history = any(message["role"] == "history" for message in checked)
        if history and "history" in used:
            raise VersionError(
                'the variable {{history}} and a {"role": "history"} message share a name; rename'
                " the variable."
            )
        fields: dict[str, object] = {
            "_messages": checked,
            "_history": history,
            "model": None if model is None else str.__str__(model),
            "variables": collect(used, checked_map(variables, "variables")),
            "_settings": checked_settings(checked_map(settings, "settings")),
            "_tools": checked_tools(tools or []),
            "_response_format": (
                json_copy(checked_map(response_format, "response_format"), "response_format")
                or None
            ),
            "api": checked_api(api),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_id", tagged(FORM, self._content()))
        if self.api != "chat":
            self._check_form()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{self._id} is immutable; make a new version instead of changing {name!r}."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(
            f"{self._id} is immutable; make a new version instead of dropping {name!r}."
        )

    # -- what it is

    @property
    def id(self) -> str:
        """``p1-`` and 32 hex digits: the first 128 bits of SHA-256 over the canonical content."""
        return self._id

    @property
    def text_id(self) -> str:
        """The id of the same content without its model's name: one row of a text x model grid."""
        return tagged("t1", {**self._content(), "model": None})

    @property
    def template(self) -> list[Message]:
        """The messages as saved, marks unfilled; a copy."""
        return copy.deepcopy(self._messages)

    @property
    def settings(self) -> dict[str, Any]:
        """The model settings; a copy."""
        return copy.deepcopy(self._settings)

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools that the model may call, as chat completions take them; a copy."""
        return copy.deepcopy(self._tools)

    @property
    def response_format(self) -> dict[str, Any] | None:
        """The form that answers must have, as chat completions take it; a copy, or None."""
        return copy.deepcopy(self._response_format)

    @property
    def takes_history(self) -> bool:
        """Whether a conversation is spliced in: `history=[...]` may then be passed."""
        return self._history

    def content(self) -> dict[str, Any]:
        """What is hashed into the id: six fields, and `api` unless it is "chat"; a copy."""
        return copy.deepcopy(self._content())

    def _content(self) -> dict[str, Any]:
        return {
            "messages": self._messages,
            "model": self.model,
            "response_format": self._response_format,
            "settings": self._settings,
            "tools": self._tools,
            "variables": {variable.name: variable.content() for variable in self.variables},
            **({} if self.api == "chat" else {"api": self.api}),
        }

    def _check_form(self) -> None:
        """Raise VersionError, at save, for what the version's form has no place for. A conversation
        that is spliced in is checked when it comes.
        """
        written = [message for message in self._messages if message["role"] != "history"]
        try:
            self.to_request(copy.deepcopy(written))
        except RenderError as error:
            raise VersionError(str(error)) from None

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> PromptVersion:
        """The version of what `content()` gave (variables may carry descriptions too)."""
        rest = {
            key: content.get(key)
            for key in ("model", "variables", "settings", "tools", "response_format", "api")
        }
        return cls(content["messages"], **rest)

    def on(self, model: str) -> PromptVersion:
        """The same text and settings for another model."""
        return self.but(model=model)

    def but(self, **changes: object) -> PromptVersion:
        """The version with some of its parts changed: messages, model, variables, tools,
        response_format, api; anything else is a setting (None takes it out).
        """
        from .from_request import changed

        return PromptVersion.from_content(changed(self.document(), changes))

    def document(self) -> dict[str, Any]:
        """`content()` with the variables' descriptions and examples: what a registry stores."""
        return {
            **self.content(),
            "variables": {variable.name: variable.document() for variable in self.variables},
        }

    # -- what it sends

    def render(self, values: Mapping[str, object]) -> list[Message]:
        """The messages with every variable filled, in order; filled text is never scanned again.

        Args:
            values: one per variable without a default, and `history` if the version takes one.

        Raises:
            RenderError: before filling any, naming what is missing, extra or mistyped.
        """
        given = dict(values)
        history = checked_history(given.pop("history", ())) if self._history else []
        missing = [
            variable.name
            for variable in self.variables
            if variable.required and variable.name not in given
        ]
        extra = sorted(map(str, given.keys() - {variable.name for variable in self.variables}))
        if missing or extra:
            takes = [repr(variable) for variable in self.variables]
            raise RenderError(
                f"{self._id[:11]} {renderer.mismatch(missing, extra, takes, self._history)}"
            )
        whole = {v.name: v.default for v in self.variables if not v.required} | given
        texts = {v.name: renderer.to_text(v.name, v.type, whole[v.name]) for v in self.variables}
        out: list[Message] = []
        for message in self._messages:
            if message["role"] == "history":
                out.extend(history)
            else:
                out.append(filled(message, texts))
        return out

    def messages(self, **values: Any) -> list[Message]:
        """`render` with the values as keywords; the list carries whose it is."""
        return identified(self.render(values), Identity(self._id, values))

    def request(self, **values: Any) -> dict[str, Any]:
        """Keyword arguments for the client of the version's own form:
        `client.chat.completions.create(**version.request(...))`, `client.responses.create(...)`,
        `anthropic.messages.create(...)` or `client.models.generate_content(...)`.
        """
        return carried(self.to_request(self.render(values)), Identity(self._id, values))

    def to_request(self, messages: list[Message]) -> dict[str, Any]:
        """The request around messages that `render` gave, in the version's own form.

        Raises RenderError for what that form has no place for.
        """
        return to_form(self.api, self.chat_request(messages))

    def chat_request(self, messages: list[Message]) -> dict[str, Any]:
        """The same as arguments of a chat completion, whatever the version's form is: how readers
        of requests see it.
        """
        body: dict[str, Any] = {"messages": messages, **self.settings}
        if self.model is not None:
            body["model"] = self.model
        if self._tools:
            body["tools"] = self.tools
        if self._response_format is not None:
            body["response_format"] = self.response_format
        return body

    # -- where it comes from

    @classmethod
    def from_request(
        cls, request: Mapping[str, object], variables: Mapping[str, str]
    ) -> PromptVersion:
        """The version of a call that works today: `request` is its keyword arguments.

        Args:
            request: the keyword arguments of the call, or a recorded request.
            variables: name -> the text in the messages that it means, each replaced by its mark
                wherever it occurs.

        Raises:
            VersionError: if a text does not occur.
        """
        from .from_request import from_request

        return cls(**from_request(request, variables))

    @classmethod
    def from_format(cls, text: str, **rest: Any) -> PromptVersion:
        """The version of an f-string or `str.format` prompt: `{ticket}` becomes `{{ticket}}`, `{{`
        a literal brace.

        Args:
            text: the prompt as it is in the code.
            rest: further arguments of `PromptVersion`, such as model.
        """
        from .from_request import from_format

        return cls(from_format(text), **rest)

    def diff(self, other: PromptVersion) -> VersionDiff:
        """What changed from this version to `other`: words, message by message, and settings."""
        from .diff import diff

        return diff(self, other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PromptVersion) and self._id == other._id

    def __hash__(self) -> int:
        return hash(self._id)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self).from_content, (self.document(),))

    def __deepcopy__(self, memo: object) -> PromptVersion:
        return self

    def __repr__(self) -> str:
        takes = ", ".join(map(repr, self.variables))
        return (
            f"PromptVersion({self._id[:11]}, model={self.model!r}, {len(self._messages)} messages,"
            f" takes ({takes}))"
        )

    def _repr_html_(self) -> str:
        from ..markup import paragraph

        return paragraph(self)
