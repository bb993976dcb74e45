"""Code that others wrote, run so that whatever it raises costs one result and nothing else.

asyncio takes some exceptions for orders to itself: CancelledError ends anyone who waits,
KeyboardInterrupt and SystemExit end the loop, StopIteration out of a thread is waited for without
end. A user's function may raise any of them for reasons of its own. Here they become values, and
only an order that came from outside stays one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Raised", "as_exception", "awaited", "from_outside", "told", "tried", "turn"]


@dataclass(frozen=True, slots=True)
class Raised:
    """In the place of a result: what was raised instead."""

    error: BaseException


def tried(function: Callable[..., object], /, *args: object, **kwargs: object) -> Any:
    """What the function gives, or Raised.

    An interrupt that may be the user's own Ctrl-C (in the main thread) is raised.
    """
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and from_outside(error):
            raise
        return Raised(error)


async def awaited(awaitable: Awaitable[object]) -> object:
    """What the awaitable gives, or Raised; only a cancellation from outside comes out of it.

    It runs in a task of its own, so that code which cancels its current task cancels itself alone.
    """
    task = asyncio.ensure_future(_kept(awaitable))
    try:
        return await task
    except asyncio.CancelledError as error:
        if from_outside(error):
            raise
        return Raised(error)


async def _kept(awaitable: Awaitable[object]) -> object:
    try:
        return await awaitable
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        if from_outside(error):
            raise
        return Raised(error)


def from_outside(error: BaseException) -> bool:
    """Whether an exception is an order to the code that caught it: its task was cancelled, its
    coroutine is being closed, or somebody pressed Ctrl-C, which only the main thread hears of.
    """
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread()
    if not isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs here: a coroutine that is closed
        return isinstance(error, GeneratorExit)
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def told(error: BaseException) -> str:
    """The name of the exception and what it says, also when saying it raises."""
    try:
        text = str(error)
    except Exception as fault:
        text = f"its message cannot be shown ({type(fault).__name__})"
    return f"{type(error).__name__}: {text}"


def as_exception(error: BaseException) -> Exception:
    """The error itself, or in the place of one that would end a loop or a thread an error that
    names it.
    """
    return error if isinstance(error, Exception) else RuntimeError(told(error))


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop in a thread until it is stopped, whatever its callbacks and tasks raise: no
    interrupt is meant for it.
    """
    while True:
        try:
            loop.run_forever()
        except (
            KeyboardInterrupt,
            SystemExit,
        ):  # of a task that a user's function started; the task keeps it as its result
            continue
        return
