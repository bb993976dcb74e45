"""A plain post is what an aiohttp session sends and reads, and gives way where it is not."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from promptops.models.plain_post import LARGEST, PlainPost
from tests.faults.server import HANG, HANG_UP, FaultServer, Say, Seen

HEADERS = {"Content-Type": "application/json", "X-Team": "a"}
TIMES = aiohttp.ClientTimeout(total=None, sock_read=20)


def with_post(
    url: str,
    work: Callable[[aiohttp.ClientSession, PlainPost], Awaitable[Any]],
    times: aiohttp.ClientTimeout = TIMES,
    unpack: bool = False,
) -> Any:
    """What `work` gives, with a session and the posts over its connections."""

    async def run() -> Any:
        async with aiohttp.ClientSession() as session:
            posts = PlainPost.over(session, f"{url}/x?a=1", HEADERS, times, unpack)
            assert posts is not None
            return await work(session, posts)

    return asyncio.run(run())


def test_it_sends_what_the_session_sends() -> None:
    """Method, path, every header and the body, over one connection for both posts."""

    async def both(session: aiohttp.ClientSession, posts: PlainPost) -> tuple[Any, bytes]:
        answered = await posts.post(b'{"n":1}')
        again = await posts.post(b'{"n":1}')
        async with session.post(f"{server.url}/x?a=1", headers=HEADERS, data=b'{"n":1}') as reply:
            assert (answered.status, again.content) == (reply.status, await reply.read())
        return answered, again.content

    with FaultServer(lambda seen: Say(body={"ok": True})) as server:
        answered, content = with_post(server.url, both)
    short, _, own = server.seen
    assert (short.path, short.body, short.headers) == (own.path, own.body, own.headers)
    assert answered.content == content
    assert answered.headers["content-type"] == "application/json"


@pytest.mark.parametrize("unpack", [False, True])
def test_a_packed_body_is_unpacked_where_that_is_asked_for(unpack: bool) -> None:
    packed = gzip.compress(b"words")

    async def post(_: object, posts: PlainPost) -> bytes:
        return (await posts.post(b"{}")).content

    with FaultServer(lambda seen: Say(body=packed, headers={"Content-Encoding": "gzip"})) as server:
        assert with_post(server.url, post, unpack=unpack) == (b"words" if unpack else packed)


def test_a_cookie_is_kept_and_ends_the_plain_way() -> None:
    """The session sends it from then on; a large body never goes the plain way."""

    async def post(session: aiohttp.ClientSession, posts: PlainPost) -> None:
        assert posts.takes(b"x" * LARGEST)
        assert not posts.takes(b"x" * (LARGEST + 1))
        await posts.post(b"{}")
        kept = {cookie.key: cookie.value for cookie in session.cookie_jar}
        assert kept == ({"route": "b7"} if cookies else {})
        assert posts.takes(b"{}") is not cookies

    for cookies in (False, True):
        headers = {"Set-Cookie": "route=b7; Path=/"} if cookies else {}
        with FaultServer(lambda seen: Say(body={}, headers=headers)) as server:  # noqa: B023
            with_post(server.url.replace("127.0.0.1", "localhost"), post)


@pytest.mark.parametrize(
    ("say", "error"),
    [
        (HANG, aiohttp.SocketTimeoutError),
        (HANG_UP, aiohttp.ServerDisconnectedError),
        (Say(body={"cut": "x" * 99}, cut=20), aiohttp.ClientError),
    ],
)
def test_a_broken_post_raises_what_the_session_raises_and_leaves_no_connection(
    say: Say | str, error: type[Exception]
) -> None:
    """The next post opens another connection and is answered."""
    answers: list[Say | str] = [say, Say(body={"ok": True})]

    def script(seen: Seen) -> Say | str:
        return answers.pop(0)

    async def post(_: object, posts: PlainPost) -> bytes:
        with pytest.raises(error):
            await posts.post(b"{}")
        return (await posts.post(b"{}")).content

    with FaultServer(script) as server:
        times = aiohttp.ClientTimeout(total=None, sock_read=0.2 if say is HANG else 20)
        assert b"ok" in with_post(server.url, post, times)


def test_a_cancelled_post_closes_its_connection() -> None:
    """An answer that comes late is never taken for the next question's."""
    answers: list[Say | str] = [HANG, Say(body={"right": 1})]

    async def post(session: aiohttp.ClientSession, posts: PlainPost) -> bytes:
        task = asyncio.create_task(posts.post(b"{}"))
        while not server.seen:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return (await posts.post(b"{}")).content

    with FaultServer(lambda seen: answers.pop(0)) as server:
        assert b"right" in with_post(server.url, post)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-Own": "1"}},
        {"trust_env": True},
        {"trace_configs": [aiohttp.TraceConfig()]},
        {"skip_auto_headers": ["User-Agent"]},
    ],
)
def test_a_session_that_adds_something_keeps_its_own_way(options: dict[str, Any]) -> None:
    async def made(url: str) -> PlainPost | None:
        async with aiohttp.ClientSession(**options) as session:
            return PlainPost.over(session, url, HEADERS, TIMES)

    assert asyncio.run(made("http://127.0.0.1:9/v1")) is None


def test_credentials_in_the_address_and_odd_headers_keep_the_sessions_way() -> None:
    async def made(url: str, headers: dict[str, str]) -> PlainPost | None:
        async with aiohttp.ClientSession() as session:
            return PlainPost.over(session, url, headers, TIMES)

    assert asyncio.run(made("http://u:p@127.0.0.1:9/v1", HEADERS)) is None
    assert asyncio.run(made("http://127.0.0.1:9/v1", {"X": "a\r\nY: b"})) is None
