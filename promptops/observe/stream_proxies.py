"""Streams and raw responses that are looked at on the way: each behaves as the provider's own, says
that it is of its class, and ends its call exactly once, also when the application closes it early,
lets go of it, or never reads it.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .live_call import LiveCall

__all__ = ["AsyncStreamProxy", "StreamProxy"]


class _Proxy:
    """Everything else is the stream's own."""

    def __init__(self, stream: Any, call: LiveCall) -> None:
        self._promptops_stream = stream
        self._promptops_call = call
        self._promptops_reading = call.streams()
        weakref.finalize(self, call.stream_ended, early=True)

    def __getattr__(self, name: str) -> object:
        return getattr(self._promptops_stream, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # isinstance() of the application goes on holding
        return type(self._promptops_stream)

    def _feed(self, chunk: Any) -> object:
        with contextlib.suppress(Exception):
            self._promptops_reading.feed(chunk)
        return chunk


class StreamProxy(_Proxy):
    """A stream that is iterated, or used in `with`."""

    def __iter__(self) -> Iterator[Any]:
        try:
            while True:
                try:
                    chunk = next(self)
                except StopIteration:
                    return
                yield chunk
        finally:
            self._promptops_call.stream_ended(early=True)

    def __next__(self) -> object:
        try:
            return self._feed(next(self._promptops_stream))
        except StopIteration:
            self._promptops_call.stream_ended(early=False)
            raise
        except BaseException as error:
            self._promptops_call.failed(error)
            raise

    def __enter__(self) -> object:
        enter = getattr(self._promptops_stream, "__enter__", None)
        if enter is not None:
            enter()
        return self

    def __exit__(self, *error: Any) -> object:
        self._promptops_call.stream_ended(early=True)
        leave = getattr(self._promptops_stream, "__exit__", None)
        return leave(*error) if leave is not None else None

    def close(self) -> object:
        """Close the stream; the call is recorded with what was read."""
        self._promptops_call.stream_ended(early=True)
        return self._promptops_stream.close()


class AsyncStreamProxy(_Proxy):
    """The same for `async for` and `async with`."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            while True:
                try:
                    chunk = await self.__anext__()
                except StopAsyncIteration:
                    return
                yield chunk
        finally:
            self._promptops_call.stream_ended(early=True)

    async def __anext__(self) -> object:
        try:
            return self._feed(await self._promptops_stream.__anext__())
        except StopAsyncIteration:
            self._promptops_call.stream_ended(early=False)
            raise
        except BaseException as error:
            self._promptops_call.failed(error)
            raise

    async def __aenter__(self) -> object:
        enter = getattr(self._promptops_stream, "__aenter__", None)
        if enter is not None:
            await enter()
        return self

    async def __aexit__(self, *error: Any) -> object:
        self._promptops_call.stream_ended(early=True)
        leave = getattr(self._promptops_stream, "__aexit__", None)
        return await leave(*error) if leave is not None else None

    async def close(self) -> object:
        """Close the stream; the call is recorded with what was read."""
        self._promptops_call.stream_ended(early=True)
        return await self._promptops_stream.close()

    async def aclose(self) -> object:
        """Close a stream whose client calls it `aclose`; recorded as for `close`."""
        self._promptops_call.stream_ended(early=True)
        return await self._promptops_stream.aclose()
