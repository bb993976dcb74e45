"""What an application gets: a version, and why it is this one."""

from __future__ import annotations

import time

from ..version.identity import Identity, carried, identified
from .canary_share import key_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..version import PromptVersion
    from ..version.variable import Variable

__all__ = ["Served", "brought_along"]


class Served:
    """A version as an environment serves it; immutable, safe to keep and to share between threads.

    number: its display number, None for a default or a candidate; id: its content id; source:
    "file" (checked against the file at this get), "last_known_good" (the file is missing, torn or
    corrupt), "default" (from the code) or "use" (a candidate under `promptops.use`); reason: why it
    is not the file's, "" if it is; arm: "canary" or "stable" while a canary runs, else None;
    key: what it was asked for with (a user's id), for the record of the call that follows.
    """

    __slots__ = ("_since", "arm", "env", "key", "name", "number", "reason", "source", "version")

    name: str
    env: str | None
    version: PromptVersion
    number: int | None
    source: str
    reason: str
    arm: str | None
    key: object
    _since: float | None

    def __init__(
        self,
        name: str,
        env: str | None,
        version: PromptVersion,
        number: int | None = None,
        *,
        source: str = "file",
        reason: str = "",
        since: float | None = None,
    ) -> None:
        for field, value in (
            ("name", name),
            ("env", env),
            ("version", version),
            ("number", number),
            ("source", source),
            ("reason", reason),
            ("arm", None),
            ("key", None),
            ("_since", since),
        ):
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"a served version is fixed; promote another one instead of setting {name!r}."
        )

    def __copy__(self) -> Served:
        return self  # it never changes

    def __deepcopy__(self, memo: dict[int, object]) -> Served:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """For process pools and caches; its age goes along, since clocks differ by process."""
        age = None if self._since is None else self.age_s
        state = (self.name, self.env, self.version, self.number, self.source, self.reason)
        key = self.key if isinstance(self.key, str | int | float | None) else key_text(self.key)
        return _restored, (*state, self.arm, age, key)

    def on_arm(self, arm: str) -> Served:
        """The same, stamped with the arm of a canary."""
        served = Served(
            self.name,
            self.env,
            self.version,
            self.number,
            source=self.source,
            reason=self.reason,
            since=self._since,
        )
        object.__setattr__(served, "arm", arm)
        return served

    def held(self, reason: str, since: float) -> Served:
        """The same as last known good: `since` is the moment (time.monotonic) at which it last
        agreed with the file.
        """
        if self.source == "last_known_good" and self.reason == reason:
            return self
        since = since if self._since is None else self._since
        served = Served(
            self.name,
            self.env,
            self.version,
            self.number,
            source="last_known_good",
            reason=reason,
            since=since,
        )
        object.__setattr__(served, "arm", self.arm)
        return served

    def for_key(self, key: object) -> Served:
        """The same, with the key that it was asked for with."""
        served = object.__new__(Served)
        for field in Served.__slots__:
            object.__setattr__(served, field, getattr(self, field))
        object.__setattr__(served, "key", key)
        return served

    @property
    def id(self) -> str:
        return self.version.id

    @property
    def model(self) -> str | None:
        return self.version.model

    @property
    def settings(self) -> dict[str, object]:
        """The model settings; a copy."""
        return self.version.settings

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.version.variables

    @property
    def age_s(self) -> float:
        """Seconds since this last agreed with the file: 0.0 from the file itself, which was checked
        at the get.
        """
        return 0.0 if self._since is None else max(time.monotonic() - self._since, 0.0)

    def messages(self, **values: object) -> list[dict[str, object]]:
        """The rendered messages. Raises RenderError, naming what is missing, extra or mistyped."""
        return identified(self.version.render(values), self._identity(values))

    def request(self, **values: object) -> dict[str, Any]:
        """Keyword arguments for the client of the version's form:
        `client.chat.completions.create(**prompt.request(ticket=text))`.
        """
        body = self.version.to_request(self.version.render(values))
        return carried(body, self._identity(values))

    def _identity(self, values: dict[str, object]) -> Identity:
        served = (self.name, self.env, self.number, self.arm, self.source)
        return Identity(self.version.id, values, served, key_text(self.key))

    def __repr__(self) -> str:
        label = f"v{self.number} " if self.number else ""
        why = f", {self.source}: {self.reason}" if self.reason else f", {self.source}"
        return (
            f"<{self.name} {label}{self.id[:11]} in"
            f" {self.env}{f', {self.arm}' if self.arm else ''}{why}>"
        )

    def _repr_html_(self) -> str:
        from ..markup import paragraph

        return paragraph(self)


def _restored(
    name: str, env: str | None, version: PromptVersion, number: int | None, *rest: Any
) -> Served:
    """A served version that was pickled, in the process that reads it."""
    source, reason, arm, age, *key = rest
    since = None if age is None else time.monotonic() - age
    served = Served(name, env, version, number, source=source, reason=reason, since=since)
    if arm is not None:
        served = served.on_arm(arm)
    return served.for_key(key[0]) if key and key[0] is not None else served


def brought_along(name: str, env: str | None, default: Any, error: Exception) -> Served:
    """What the code brought along: a PromptVersion, anything that holds one, a text or messages."""
    from ..version import PromptVersion

    held = getattr(default, "version", default)
    return Served(
        name,
        env,
        held if isinstance(held, PromptVersion) else PromptVersion(default),
        source="default",
        reason=str(error),
    )
