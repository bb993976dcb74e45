"""The doors of a provider's client by which a model is asked, each observed in place: the client
stays the application's own object.

Clients are known by the names of their methods, never by their class: OpenAI and Azure (chat
completions, Responses), Anthropic and Gemini, synchronous and asynchronous. A door that calls
another (`parse` calls `create`) makes one row, not two.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from .answers import read_answer
from .error_class import never_sent
from .live_call import INSIDE, LiveCall, Observer, leave
from .stream_managers import AsyncManagerProxy, ManagerProxy
from .stream_proxies import AsyncStreamProxy, StreamProxy

__all__ = ["observe_client"]

_ALONE = ("generate_content", "generate_content_stream")  # call no other door, but tools of the app
_DOORS = ("create", "parse", *_ALONE)
_RESOURCES = (
    ("chat", "completions"),
    ("beta", "chat", "completions"),
    ("completions",),
    ("responses",),
    ("beta", "responses"),
    ("messages",),
    ("beta", "messages"),
    ("models",),
    ("aio", "models"),
)
_COPIES = ("with_options", "copy")
_RAW = "x-stainless-raw-response"
_RAW_VIEWS = ("with_raw_response", "with_streaming_response")
_MARK = "promptops_observed"
Method = Callable[..., Any]


def observe_client(client: object, observer: Observer) -> int:
    """Observe each door of the client, and of the copies that it makes; returns how many there
    were. Twice is once.
    """
    found = 0
    for path in _RESOURCES:
        owners = _owners(client, path)
        resource = owners[-1] if owners else None
        if resource is None or (path == ("models",) and not hasattr(resource, "generate_content")):
            continue
        for name in (*_DOORS, "stream"):
            original = getattr(resource, name, None)
            if not callable(original):
                continue
            found += 1
            if not getattr(original, _MARK, False):
                wrap = _managed if name == "stream" else _method
                whose = None if name in _ALONE else client
                door = wrap(original, _newest(resource, name, original), observer, whose)
                setattr(resource, name, _marked(door, original))
                _forget_raw_views(owners)
    if found:
        for name in _COPIES:
            original = getattr(client, name, None)
            if callable(original) and not getattr(original, _MARK, False):
                setattr(client, name, _marked(_copying(original, observer), original))
    return found


def _owners(client: object, path: tuple[str, ...]) -> list[object]:
    """The client, and what it has at each step of the path; empty if the path breaks off."""
    owners = [client]
    for name in path:
        try:
            owner = getattr(owners[-1], name, None)
        except Exception:  # a client of another kind may raise what it likes
            return []
        if owner is None:
            return []
        owners.append(owner)
    return owners


def _newest(resource: object, name: str, original: Method) -> Callable[[], Method]:
    """What gives the door as the client's class has it at a call: a tracer or an application's test
    may patch the class after `observe`, and would otherwise be passed by.
    """
    kind = type(resource)
    owner = next((each for each in kind.__mro__ if name in each.__dict__), None)
    if owner is None or name in getattr(resource, "__dict__", ()):
        return lambda: original
    doors = owner.__dict__
    before = doors[name]

    def newest() -> Method:
        found = doors.get(name, before)
        if found is before:
            return original
        bind = getattr(type(found), "__get__", None)
        return found if bind is None else bind(found, resource, kind)  # type: ignore[no-any-return]

    return newest


def _forget_raw_views(owners: list[object]) -> None:
    """A view of raw responses that was made earlier keeps the door as it was then: the next use
    makes it again, of the door that is observed.
    """
    for owner in owners:
        for name in _RAW_VIEWS:
            getattr(owner, "__dict__", {}).pop(name, None)


def _marked(wrapper: Method, original: Method) -> Method:
    functools.update_wrapper(wrapper, original)
    setattr(wrapper, _MARK, True)
    return wrapper


def _copying(original: Method, observer: Observer) -> Method:
    def copy(*args: object, **kwargs: object) -> Any:
        client = original(*args, **kwargs)
        observer.quietly(lambda: observe_client(client, observer), 0)
        return client

    return copy


def _method(
    original: Method, newest: Callable[[], Method], observer: Observer, client: object
) -> Method:
    """A door that answers, streams, or gives a raw response."""

    current, enter, reset = INSIDE.get, INSIDE.set, INSIDE.reset

    def ask(*args: object, **kwargs: object) -> Any:
        outer = current()
        covered = outer is not None and outer.covers(client)
        call = None if covered else _begun(observer, kwargs)
        if call is None:
            return newest()(*args, **kwargs)
        call.client = client
        token = enter(call)
        try:
            answer = newest()(*args, **kwargs)
        except BaseException as error:
            _ended(call, error, newest, args, kwargs)
            raise
        finally:
            reset(token)
        kind = _kind(type(answer))  # type: ignore[arg-type]  # a class is hashable
        if kind == "awaitable":
            return _awaited(answer, call, newest, args, kwargs)
        try:
            if kind == "answer" and not kwargs.get("extra_headers"):
                call.answered(read_answer(answer))
                return answer
            return _seen(answer, call, kwargs)
        except Exception:  # recording is never the application's fault
            return answer

    # SDKs wrap their coroutine functions in plain ones: what is beneath is awaited, so that a
    # coroutine that the application closes unawaited leaves none behind
    if not inspect.iscoroutinefunction(inspect.unwrap(original)):
        return ask

    async def ask_async(*args: object, **kwargs: object) -> Any:
        return await ask(*args, **kwargs)

    return ask_async


def _begun(observer: Observer, request: Mapping[str, object]) -> LiveCall | None:
    """A call; None if it cannot be taken down."""
    try:
        return LiveCall(observer, request)
    except Exception:  # recording is never the application's fault
        return None


async def _awaited(
    waiting: Awaitable[object],
    call: LiveCall,
    newest: Callable[[], Method],
    args: tuple[object, ...],
    request: Mapping[str, object],
) -> object:
    token = INSIDE.set(call)
    try:
        answer = await waiting
    except BaseException as error:
        _ended(call, error, newest, args, request)
        raise
    finally:
        leave(token)
    try:
        return _seen(answer, call, request)
    except Exception:  # recording is never the application's fault
        return answer


def _ended(
    call: LiveCall,
    error: BaseException,
    newest: Callable[[], Method],
    args: tuple[object, ...],
    request: Mapping[str, object],
) -> None:
    """The call failed; it is not recorded if the application's arguments were wrong, since then no
    request was sent.
    """
    try:
        unsent = isinstance(error, TypeError) and never_sent(error, newest(), args, request)
    except Exception:  # recording is never the application's fault
        unsent = False
    if unsent:
        call.was_none()
    else:
        call.failed(error)


def _seen(answer: object, call: LiveCall, request: Mapping[str, object]) -> object:
    """The answer as the application gets it."""
    headers = request.get("extra_headers")
    raw = _raw_mode(headers) if headers else None
    if raw is not None and callable(getattr(answer, "parse", None)):
        return _raw(answer, call, unread=raw == "stream" or bool(request.get("stream")))
    return _looked_at(answer, call)


def _raw_mode(headers: object) -> object:
    """What asks for a raw response; None if nothing does."""
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if str(name).lower() == _RAW:
            return value
    return None


@functools.lru_cache(maxsize=256)  # a class of pydantic's takes 3 us to say what it has not
def _kind(answer: Hashable) -> str:
    """What can be done with an answer of this class."""
    for name, kind in (
        ("__await__", "awaitable"),
        ("__anext__", "async stream"),
        ("__next__", "stream"),
    ):
        if hasattr(answer, name):
            return kind
    return "answer"


def _looked_at(answer: object, call: LiveCall) -> object:
    kind = _kind(type(answer))  # type: ignore[arg-type]  # a class is hashable
    if kind == "async stream":
        return AsyncStreamProxy(answer, call)
    if kind == "stream":
        return StreamProxy(answer, call)
    call.answered(read_answer(answer))
    return answer


def _raw(response: Any, call: LiveCall, *, unread: bool) -> object:
    """A raw response. Where its body was not read yet, the application reads it first."""
    original, close = response.parse, getattr(response, "close", None)
    if not unread:
        try:
            found = original()
        except Exception as error:  # the application may read the body in its own way
            call.failed(error)
            return response
        if inspect.iscoroutine(found):
            found.close()  # an asynchronous one: the application awaits its own
        else:
            call.answered(read_answer(found))
            return response

    def parse(*args: object, **kwargs: object) -> object:
        try:
            found = original(*args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        return parsed_later(found) if isinstance(found, Awaitable) else parsed(found)

    def parsed(found: object) -> Any:
        let_go.detach()  # what was parsed ends the call, and may outlive the response
        return _looked_at(found, call)

    async def parsed_later(waiting: Awaitable[object]) -> object:
        let_go.detach()
        try:
            found = await waiting
        except BaseException as error:
            call.failed(error)
            raise
        return parsed(found)

    def closed(*args: object, **kwargs: object) -> object:
        call.answered(None)
        return close(*args, **kwargs) if close is not None else None

    response.parse = parse
    if close is not None:
        response.close = closed
    let_go = weakref.finalize(response, call.answered, None)
    return response


def _managed(
    original: Method, newest: Callable[[], Method], observer: Observer, client: object
) -> Method:
    """A door whose answer is a context manager of a stream."""

    def stream(*args: object, **kwargs: object) -> object:
        outer = INSIDE.get()
        covered = outer is not None and outer.covers(client)
        call = None if covered else _begun(observer, kwargs)
        if call is None:
            return newest()(*args, **kwargs)
        call.client = client
        token = INSIDE.set(call)
        try:
            manager = newest()(*args, **kwargs)
        finally:
            leave(token)
        kind = type(manager)
        if hasattr(kind, "__aenter__"):
            return AsyncManagerProxy(manager, call)
        return ManagerProxy(manager, call) if hasattr(kind, "__enter__") else manager

    return stream
