"""`with promptops.call(prompt, ticket=text) as call`: a live call through any client, or none that
is known here: timed, its failure kept, one row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..version.identity import Identity
from .answers import ReplyFields, read_answer
from .door import observer_of
from .live_call import EVERY_CLIENT, INSIDE, LiveCall, leave

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Any, Protocol

    class _Prompt(Protocol):
        """A version, or what a loader returns of one."""

        @property
        def id(self) -> str: ...

        def request(self, **values: object) -> dict[str, Any]: ...


__all__ = ["call"]


class call:  # noqa: N801 - a verb, as contextlib's own
    """Render a prompt and record the call made in the block.

    ```python
    with promptops.call(prompt, ticket=text) as call:
        call.answer = my_client(**call.request)
    ```

    Assign the response to `call.answer`: a provider's object, its JSON, or the text. An exception
    in the block is recorded as the call's failure and re-raised. Nothing is recorded if no sink is
    set (PROMPTOPS_RECORD).

    Args:
        prompt: a served version, or any `PromptVersion`.
        values: the values of its variables.

    Raises:
        RenderError: if a value is missing, extra or of the wrong type; this is recorded too.
    """

    def __init__(self, prompt: _Prompt, /, **values: object) -> None:
        self._prompt, self._values = prompt, values
        self.answer: object = None
        self.request: dict[str, Any] = {}
        self._call: LiveCall | None = None
        self._token: Token[LiveCall | None] | None = None

    @property
    def id(self) -> str | None:
        """The row's id, for `promptops.feedback`; None if nothing is recorded."""
        return None if self._call is None else self._call.id

    def __enter__(self) -> call:
        observer = observer_of()
        try:
            self.request = self._prompt.request(**self._values)
        except Exception as error:
            if observer is not None:
                whose = (getattr(self._prompt, name, None) for name in _SERVED)
                identity = Identity(self._prompt.id, {}, tuple(whose))  # type: ignore[arg-type]
                LiveCall(observer, {}, identity).failed(error)
            raise
        if observer is not None:
            self._call = observer.quietly(lambda: observer.begin(self.request), None)
        if self._call is not None:
            self._call.client = EVERY_CLIENT  # one that is observed too makes no second row
            self._token = INSIDE.set(self._call)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._call is None or self._token is None:
            return
        leave(self._token)
        if error is not None:
            self._call.failed(error)
            return
        try:
            reading = ReplyFields() if self.answer is None else read_answer(self.answer)
        except Exception:
            reading = ReplyFields()
        self._call.answered(reading)


_SERVED = ("name", "env", "number", "arm", "source")
