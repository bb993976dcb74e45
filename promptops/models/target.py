"""Your own code in a model's place: any callable that answers an example, evaluated as a whole.

It is called with the example's values, bound by its signature before anything runs. Whatever goes
wrong inside it is the failure of that one call. A changed function is another endpoint, so that its
old answers are never taken for its own.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from ..canonical import canonical
from ..errors import CallError, PromptOpsError, SetupError
from ..registry.candidate import use
from .code_version import CodeVersion
from .dialects import read_any
from .foreign import Raised, awaited, told, tried
from .protocol import Call, Reply
from .target_reply import of_completion, usage_of

__all__ = ["TargetModel", "target"]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class _TargetVersion(CodeVersion):
    """8 hex digits over what a target does; what another program does is not known."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function, target=True)


class TargetModel:
    """A function of yours, sync or async, that answers an example.

    Values are passed by name: parameters named like the example's values get them, ``**kwargs``
    gets all. Only where there is exactly one value and one parameter does the name not matter: that
    parameter gets it, however it is spelt. It returns a text, a Reply, a JSON value (kept as
    canonical text), or an answer of the openai client. A sync function runs in a thread that keeps
    context variables. Inside it, `promptops.load` of the prompt under study serves the version that
    is being asked.
    label: default is module, name and eight hex digits of what the function is (its code,
        defaults, captured values, and the own modules, environment variables and files that it
        names; see `function_identity`);
    identity: a name of yours for this configuration, in the place of those hex digits: the same
        name means that recorded answers may be used again.
    """

    def __init__(
        self, fn: Callable[..., object], label: str | None = None, identity: str | None = None
    ) -> None:
        if not callable(fn):
            raise SetupError(
                f"a target is a function, got {type(fn).__name__}; pass the function itself, not"
                " what it returned."
            )
        self._fn = fn
        self._parameters = _parameters(fn)
        named = identity is not None or label is not None
        self._code = None if named else _TargetVersion.known(fn)
        self._version = identity or ("" if self._code is None else self._code.now(fn))
        self._opaque = () if self._code is None else self._code.opaque
        self._label = label or _label(fn, self._version)
        bound = getattr(fn, "__call__", None)  # noqa: B004  (the bound method is inspected)
        self._is_async = inspect.iscoroutinefunction(_inner(fn)) or inspect.iscoroutinefunction(
            bound
        )

    def __getstate__(self) -> dict[str, object]:
        """Without what it knows of this process, in which alone its function may be edited."""
        return {**vars(self), "_code": None}

    def as_it_is(self) -> TargetModel:
        """The target of what its function is now: a notebook may have edited a function that it
        calls, or a value that it reads, since it was made.
        """
        if self._code is None or self._code.now(self._fn) == self._version:
            return self
        return TargetModel(self._fn)

    @property
    def label(self) -> str:
        return self._label

    @property
    def remote(self) -> bool:
        return False

    @property
    def opaque(self) -> str:
        """Why its answers are asked again in every process; "" if they are not."""
        if not self._opaque:
            return ""
        return (
            f"{self._label} depends on {', '.join(self._opaque[:3])}, which cannot be compared by "
            "value, so its answers are asked again in every process; pass "
            'target(function, identity="...") to reuse them.'
        )

    def bind(self, values: Mapping[str, object]) -> tuple[tuple[object, ...], dict[str, object]]:
        """Positional and keyword arguments for an example's values.

        Raises SetupError, which names the parameters and the values, if a required parameter has
        no value or no parameter takes any value.
        """
        if (
            self._parameters is None
        ):  # a builtin without a signature: one value by position, several by name
            return ((next(iter(values.values())),), {}) if len(values) == 1 else ((), dict(values))
        parameters = self._parameters
        if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
            taken = dict(values)
        else:
            names = {parameter.name for parameter in parameters if parameter.kind in _NAMED}
            taken = {name: value for name, value in values.items() if name in names}
        lacking = [
            p
            for p in parameters
            if p.kind in (*_POSITIONAL, *_NAMED)
            and p.default is p.empty
            and not (p.name in taken and p.kind in _NAMED)
        ]
        if not lacking and (taken or not values):
            return (), taken
        single = self._single()
        if len(values) == 1 and single is not None and lacking in ([], [single]):
            return (next(iter(values.values())),), {}
        missing = f"needs {', '.join(p.name for p in lacking)}" if lacking else "takes none of them"
        raise SetupError(
            f"the target {_name(self._fn)}{self._signature()} cannot be called with the values"
            f" {', '.join(values) or 'of an example without any'}: it {missing}; values are passed"
            " by name (one value alone also to a single parameter of any name): name its"
            " parameters like the values, or accept **kwargs."
        )

    async def complete(self, call: Call) -> Reply:
        """What the function answers for `call.values`.

        Raises CallError: bad_request if the values cannot be bound; internal, naming the
        exception, if the function raised or returned what no answer is; timeout_read after
        `call.timeout_s` seconds (a thread cannot be ended: it finishes unheard).
        """
        try:
            args, kwargs = self.bind(call.values)
        except (
            SetupError
        ) as error:  # the class that stops a study at once: the next example would fail alike
            raise CallError(str(error), failure="bad_request") from None
        asked_at = perf_counter()
        try:
            with use(
                {call.prompt: call.version} if call.prompt and call.version is not None else {}
            ):
                async with asyncio.timeout(call.timeout_s) as limit:
                    answer = await self._answer(args, kwargs)
        except TimeoutError as error:
            answer = Raised(error)
        if isinstance(answer, Raised):
            raise self._failed(answer.error, call, limit.expired()) from answer.error
        if self._code is not None and self._code.after_call(self._fn, asked_at) != self._version:
            raise CallError(  # of the class that stops a study at once
                f"the target {_name(self._fn)} was edited while it answered, so that this answer"
                " may be of either function; wait for a study (study.wait()) before you edit what"
                " its function reads, and run this study's cell again.",
                failure="bad_request",
            )
        reply = self._reply(answer)
        if call.on_token and reply.text:
            call.on_token(reply.text)
        return reply

    async def _answer(self, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """What the function gave, or Raised."""
        call: Callable[[], object] = functools.partial(self._fn, *args, **kwargs)
        if self._code is not None:
            call = functools.partial(self._code.calling, call)
        answer = tried(call) if self._is_async else await asyncio.to_thread(tried, call)
        return await awaited(answer) if inspect.isawaitable(answer) else answer

    def _failed(self, error: BaseException, call: Call, expired: bool) -> CallError:
        if isinstance(error, CallError):
            return error
        name = _name(self._fn)
        if isinstance(error, TimeoutError) and expired:
            return CallError(
                f"the target {name} did not answer within {call.timeout_s:g} s.",
                failure="timeout_read",
            )
        return CallError(
            f"the target {name} raised {_said(error)}",
            failure="internal",
            code=type(error).__name__,
        )

    def check(self, request: Mapping[str, Any]) -> None:
        """Proves that the function can be bound, as far as the request tells: its entry ``values``
        are the example's.

        Without that entry, only that one call could bind it at all. Raises SetupError as `bind`
        does.
        """
        if isinstance(request.get("values"), Mapping):
            self.bind(request["values"])
        elif self._parameters is not None and not any(
            p.kind is not inspect.Parameter.VAR_POSITIONAL for p in self._parameters
        ):
            raise SetupError(
                f"the target {_name(self._fn)}{self._signature()} takes no value of an example;"
                " name its parameters like the values."
            )

    async def aclose(self) -> None:
        """Closes nothing: no connection stays open."""

    def _single(self) -> inspect.Parameter | None:
        """The parameter that one value goes to by position."""
        positional = [p for p in self._parameters or () if p.kind in _POSITIONAL]
        required = [p for p in positional if p.default is p.empty]
        return (
            required[0]
            if len(required) == 1
            else positional[0]
            if positional and not required
            else None
        )

    def _signature(self) -> str:
        return "(...)" if self._parameters is None else f"({', '.join(map(str, self._parameters))})"

    def _reply(self, answer: Any) -> Reply:
        if isinstance(answer, Reply):
            return answer
        if answer is None:
            return Reply(
                text=None,
                failure="empty_output",
                failure_detail=f"the target {_name(self._fn)} returned None",
            )
        if isinstance(answer, str):
            return Reply(text=answer, finish_reason="stop")
        body = _dumped(answer)
        known = read_any(body) if isinstance(body, dict) else None
        if known is not None:
            return known
        if hasattr(answer, "choices"):
            return of_completion(answer)
        if isinstance(getattr(answer, "output_text", None), str):
            return Reply(
                text=answer.output_text,
                finish_reason="stop",
                model=getattr(answer, "model", None),
                **usage_of(answer),
            )
        if body is not None:
            answer = body
        try:
            return Reply(text=canonical(answer), finish_reason="stop")
        except PromptOpsError as error:
            raise CallError(
                f"the target {_name(self._fn)} returned a {type(answer).__name__} that is not"
                f" an answer: {error}",
                failure="internal",
            ) from error

    def __repr__(self) -> str:
        return (
            f"TargetModel({self._label!r}: your own {'async ' if self._is_async else ''}function"
            f" {_name(self._fn)}{self._signature()})"
        )


def _parameters(fn: Callable[..., object]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return None


def _inner(fn: Any) -> object:
    """The function under partials and decorators that say what they wrap."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return inspect.unwrap(fn)


def _name(fn: object) -> str:
    inner = _inner(fn)
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))


def target(fn: Callable[..., object], *, identity: str) -> TargetModel:
    """Make a target that is identified by a name of your own, not by its code and captured values.

    Args:
        fn: the function that answers an example.
        identity: a text that changes whenever the answers may change, e.g. a release or a commit.
    """
    return TargetModel(fn, identity=identity)


def _label(fn: object, identity: str) -> str:
    inner = _inner(fn)
    module = getattr(inner, "__module__", None) or type(inner).__module__
    return f"{module}.{_name(fn)}#{identity}"


def _said(error: BaseException) -> str:
    """The name of an exception and the beginning of what it says, as the end of a sentence."""
    return f"{' '.join(told(error).split())[:300].rstrip(':. ')}."


def _dumped(answer: object) -> object:
    """The JSON value of an answer object of a client, by the names of its interface; None for
    anything else.
    """
    if not hasattr(answer, "model_dump"):
        return None
    try:
        return answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    except TypeError:  # an object of another library that only shares the method's name
        return answer.model_dump()
