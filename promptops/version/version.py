"""What a version is: messages, variables, model name, settings, tools and response format, named by
their content.

The same content is the same version on any machine; one changed character is another. Author, note,
date and the variables' descriptions live beside it, never in the id. What was evaluated is byte for
byte what ships, because the lab and the application call the same `render` here. Only the standard
library is imported.
"""

from __future__ import annotations

from ..canonical import copied, json_copy, tagged
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

    Message = dict[str, object]

__all__ = ["FORM", "PromptVersion"]

FORM = "p1"  # names the canonical form of `content()`: change one, change the other


class PromptVersion:
    """One version of a prompt, with its model and settings; immutable, and equal by content.

    Messages, tools and settings are written as for chat completions, whatever the `api`.

    Args:
        messages: one text (a single user message), or a list of ``{"role", "content"}`` messages in
            sending order. Text may contain ``{{name}}`` variables; ``{"role": "history"}`` marks
            where a conversation is inserted.
        model: the model's name, or None if each call names it.
        variables: name -> type, or name -> ``{"type", "default", "description", "example"}``;
            undeclared variables are required strings.
        settings: the model settings (temperature, stop, ...), JSON; never endpoints or secrets.
        tools: the tools, in the format of chat completions.
        response_format: the response format, in the format of chat completions.
        api: the request form: "chat", "responses", "anthropic" or "gemini".

    Raises:
        VersionError, TemplateError: if the content is invalid, or the request form does not support
            it; the message names the message or setting at fault.
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
    _response_format: dict[str, object] | None
    _settings: dict[str, object]
    _tools: list[dict[str, object]]
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
        """The id of the content without the model: the same for one text on every model."""
        return tagged("t1", {**self._content(), "model": None})

    @property
    def template(self) -> list[Message]:
        """The messages as saved, with variables unfilled; a copy."""
        return copied(self._messages)

    @property
    def settings(self) -> dict[str, object]:
        """The model settings; a copy."""
        return copied(self._settings)

    @property
    def tools(self) -> list[dict[str, object]]:
        """The tools that the model may call, in the format of chat completions; a copy."""
        return copied(self._tools)

    @property
    def response_format(self) -> dict[str, object] | None:
        """The response format, in the format of chat completions; a copy, or None."""
        return copied(self._response_format)

    @property
    def takes_history(self) -> bool:
        """Whether the version takes a conversation, passed as `history=[...]`."""
        return self._history

    def content(self) -> dict[str, object]:
        """The content that the id hashes: six fields, and `api` unless it is "chat"; a copy."""
        return copied(self._content())

    def _content(self) -> dict[str, object]:
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
            self.to_request(copied(written))
        except RenderError as error:
            raise VersionError(str(error)) from None

    @classmethod
    def from_content(cls, content: Mapping[str, object]) -> PromptVersion:
        """Restore a version from the result of `content()` or `document()`."""
        rest: dict[str, Any] = {
            key: content.get(key)
            for key in ("model", "variables", "settings", "tools", "response_format", "api")
        }
        messages: Any = content["messages"]
        return cls(messages, **rest)

    def on(self, model: str) -> PromptVersion:
        """The same text and settings for another model."""
        return self.but(model=model)

    def but(self, **changes: object) -> PromptVersion:
        """A copy of the version with changed messages, model, variables, tools, response_format or
        api; any other name is a setting (None removes it).
        """
        from .from_request import changed

        return PromptVersion.from_content(changed(self.document(), changes))

    def document(self) -> dict[str, object]:
        """`content()` with the variables' descriptions and examples, as a registry stores it."""
        return {
            **self.content(),
            "variables": {variable.name: variable.document() for variable in self.variables},
        }

    # -- what it sends

    def render(self, values: Mapping[str, object]) -> list[Message]:
        """The messages in order with every variable filled; filled text is not scanned again.

        Args:
            values: one per variable without a default, and `history` if the version takes one.

        Raises:
            RenderError: if a value is missing, extra or of the wrong type; the message names it.
        """
        given = dict(values)
        history = checked_history(given.pop("history", ())) if self._history else []
        whole = {v.name: v.default for v in self.variables if not v.required} | given
        names = [variable.name for variable in self.variables]
        if len(whole) != len(names) or not all(map(whole.__contains__, names)):
            missing = [name for name in names if name not in whole]
            extra = sorted(map(str, given.keys() - set(names)))
            takes = [repr(variable) for variable in self.variables]
            raise RenderError(
                f"{self._id[:11]} {renderer.mismatch(missing, extra, takes, self._history)}"
            )
        texts = {v.name: renderer.to_text(v.name, v.type, whole[v.name]) for v in self.variables}
        out: list[Message] = []
        for message in self._messages:
            if message["role"] == "history":
                out.extend(history)
            else:
                out.append(filled(message, texts))
        return out

    def messages(self, **values: object) -> list[Message]:
        """`render` with the values as keywords; the list records which version it came from."""
        return identified(self.render(values), Identity(self._id, values))

    def request(self, **values: object) -> dict[str, Any]:
        """Keyword arguments for the client of the version's request form:
        `client.chat.completions.create(**version.request(...))`, `client.responses.create(...)`,
        `anthropic.messages.create(...)` or `client.models.generate_content(...)`.
        """
        return carried(self.to_request(self.render(values)), Identity(self._id, values))

    def to_request(self, messages: list[Message]) -> dict[str, Any]:
        """The request with messages from `render`, in the version's request form.

        Raises RenderError if that form does not support the content.
        """
        return to_form(self.api, self.chat_request(messages))

    def chat_request(self, messages: list[Message]) -> dict[str, object]:
        """The request as arguments of a chat completion, whatever the version's request form is;
        code that reads requests uses it.
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
        """Make a version from the request of an existing call.

        Args:
            request: the keyword arguments of the call, or a recorded request.
            variables: name -> the text in the messages that the variable replaces, wherever it
                occurs.

        Raises:
            VersionError: if a text does not occur in the messages.
        """
        from .from_request import from_request

        return cls(**from_request(request, variables))

    @classmethod
    def from_format(cls, text: str, **rest: object) -> PromptVersion:
        """Make a version from an f-string or `str.format` prompt: `{ticket}` becomes `{{ticket}}`,
        and `{{` becomes a literal brace.

        Args:
            text: the prompt as it is in the code.
            rest: other arguments of `PromptVersion`, such as model.
        """
        from .from_request import from_format

        fields: dict[str, Any] = rest
        return cls(from_format(text), **fields)

    def diff(self, other: PromptVersion) -> VersionDiff:
        """The changes from this version to `other`: words per message, and settings."""
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
