"""Who a request is: the prompt's name, version, environment, arm and values, carried by the very
list of messages that the request holds.

A framework in between needs to know nothing of it: the list survives `**`, threads, tasks, retries,
`append`, `copy` and `pickle`. A list that was made again (`[*messages, more]`) has lost it; then it
is found only if exactly one of the requests that this context rendered last is contained in it,
message by message. Everything else is unknown: it is never guessed.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "CARRIERS",
    "Identified",
    "Identity",
    "carried",
    "identified",
    "identity_of",
    "last_rendered",
    "unchanging",
]

CARRIERS = ("messages", "input", "contents")  # where the request forms keep their messages
_LAST = 4  # renders that a context remembers
_RENDERED: ContextVar[tuple[Identified, ...]] = ContextVar("promptops_rendered", default=())


class Identity:
    """name: the prompt's, None for a version that no registry served; env, number, arm and
    served_from as the loader gave them; key: the text of the key that the arm was chosen by;
    values: what the variables were filled with, as it was then.
    """

    __slots__ = ("arm", "env", "key", "name", "number", "served_from", "values", "version_id")

    def __init__(
        self,
        version_id: str,
        values: Mapping[str, object],
        served: tuple[str | None, str | None, int | None, str | None, str | None] = (None,) * 5,
        key: str | None = None,
    ) -> None:
        """served: name, environment, number, arm and source of what the loader gave."""
        self.version_id, self.key = version_id, key
        self.values: Mapping[str, object] = {
            name: unchanging(each) for name, each in values.items()
        }
        self.name, self.env, self.number, self.arm, self.served_from = served

    @property
    def prompt(self) -> tuple[str | None, str, str | None, str | None]:
        """What two requests of one prompt share."""
        return self.name, self.version_id, self.env, self.arm


class Identified(list):  # type: ignore[type-arg]  # of messages, in any form
    """Messages that know whose they are; else a list like any other."""

    __slots__ = ("identity",)

    identity: Identity


def carried(body: dict[str, object], identity: Identity) -> dict[str, object]:
    """The request, its messages carrying the identity from now on."""
    for name in CARRIERS:
        messages = body.get(name)
        if isinstance(messages, list):
            body[name] = identified(messages, identity)
            break
    return body


def identified(messages: list[Any], identity: Identity) -> list[Any]:
    """The messages, carrying the identity, and remembered by this context."""
    tagged = Identified(messages)
    tagged.identity = identity
    kept = Identified(messages)  # what was rendered: the application may append to its own list
    kept.identity = identity
    _RENDERED.set((*_RENDERED.get()[1 - _LAST :], kept))
    return tagged


def identity_of(request: Mapping[str, object]) -> tuple[Identity | None, str]:
    """Whose request it is, and how that is known: "carried", "matched" or "unknown"."""
    usual = request.get("messages")
    if usual.__class__ is Identified and hasattr(usual, "identity"):
        return usual.identity, "carried"
    for name in CARRIERS:
        messages = request.get(name)
        if isinstance(messages, Identified):
            found = getattr(messages, "identity", None)
            return (found, "carried") if found is not None else (None, "unknown")
        if isinstance(messages, (list, tuple)):
            return _matched(messages)
    return None, "unknown"


def last_rendered() -> Identity | None:
    """The one prompt that this context rendered last; None if it rendered none, or several."""
    found = [rendered.identity for rendered in _RENDERED.get()]
    return found[-1] if len({identity.prompt for identity in found}) == 1 else None


def unchanging(value: object) -> object:
    """The value as it is now: its lists and mappings are copied, since the application may go on
    changing its own.
    """
    if isinstance(value, dict):
        return {name: unchanging(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [unchanging(each) for each in value]
    return value


def _matched(messages: list[object] | tuple[object, ...]) -> tuple[Identity | None, str]:
    """The one render whose messages occur consecutively in these; of two prompts neither."""
    found: Identity | None = None
    for rendered in reversed(_RENDERED.get()):
        if _within(rendered, messages):
            if found is not None and found.prompt != rendered.identity.prompt:
                return None, "unknown"
            found = found or rendered.identity
    return (found, "matched") if found is not None else (None, "unknown")


def _within(part: list[object], whole: list[object] | tuple[object, ...]) -> bool:
    size = len(part)
    return bool(size) and any(
        list(whole[start : start + size]) == part for start in range(len(whole) - size + 1)
    )
