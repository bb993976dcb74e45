"""`with client....stream(...) as stream`: the stream's own methods (`get_final_message`,
`until_done`, `text_stream`) read what is beneath it, so that is what is looked at; where a client
shows nothing beneath, the stream's snapshot at its end is the answer.
"""

from __future__ import annotations

import contextlib
from typing import Any

from .answers import read_answer
from .live_call import INSIDE, LiveCall, leave
from .stream_proxies import AsyncStreamProxy, StreamProxy

__all__ = ["AsyncManagerProxy", "ManagerProxy"]

_BENEATH = "_raw_stream"  # OpenAI's and Anthropic's helper streams read from it, lazily
_SNAPSHOTS = ("current_message_snapshot", "current_completion_snapshot")


class _Manager:
    def __init__(self, manager: Any, call: LiveCall) -> None:
        self._promptops_manager = manager
        self._promptops_call = call
        self._promptops_stream: Any = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._promptops_manager, name)

    def _opened(self, stream: Any, proxy: type[Any]) -> object:
        self._promptops_stream = stream
        with contextlib.suppress(Exception):
            beneath = getattr(stream, _BENEATH, None)
            if beneath is not None:
                setattr(stream, _BENEATH, proxy(beneath, self._promptops_call))
        return stream

    def _ended(self) -> None:
        call = self._promptops_call
        if call.stream is not None:
            call.stream_ended(early=True)
            return
        for name in _SNAPSHOTS:
            with contextlib.suppress(Exception):
                call.answered(read_answer(getattr(self._promptops_stream, name)))
        call.answered(None)


class ManagerProxy(_Manager):
    """The synchronous one."""

    def __enter__(self) -> object:
        token = INSIDE.set(self._promptops_call)
        try:
            stream = self._promptops_manager.__enter__()
        except BaseException as error:
            self._promptops_call.failed(error)
            raise
        finally:
            leave(token)
        return self._opened(stream, StreamProxy)

    def __exit__(self, *error: Any) -> object:
        try:
            return self._promptops_manager.__exit__(*error)
        finally:
            self._ended()


class AsyncManagerProxy(_Manager):
    """The asynchronous one."""

    async def __aenter__(self) -> object:
        token = INSIDE.set(self._promptops_call)
        try:
            stream = await self._promptops_manager.__aenter__()
        except BaseException as error:
            self._promptops_call.failed(error)
            raise
        finally:
            leave(token)
        return self._opened(stream, AsyncStreamProxy)

    async def __aexit__(self, *error: Any) -> object:
        try:
            return await self._promptops_manager.__aexit__(*error)
        finally:
            self._ended()
