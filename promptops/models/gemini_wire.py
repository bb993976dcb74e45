"""Plain requests to Gemini, sent without the objects that its client builds around a request and a
reply, which take three times as long as everything else of a recorded call.

Only what is surely the same goes this way: the calls of a client that was made here with a key, and
of them the requests whose every part it passes through unchanged. Anything else goes
through a client's own `generate_content`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.request import getproxies
from weakref import WeakKeyDictionary

from .plain_post import PlainPost

__all__ = ["WireAnswer", "GeminiWire", "rest_body"]

_BESIDE = frozenset(("systemInstruction", "tools", "toolConfig", "serviceTier"))
_WITHIN = frozenset(
    (
        "temperature",
        "topP",
        "topK",
        "candidateCount",
        "maxOutputTokens",
        "stopSequences",
        "presencePenalty",
        "frequencyPenalty",
        "seed",
        "responseMimeType",
        "responseJsonSchema",
        "thinkingConfig",
    )
)
_PARTS = (frozenset(("text",)), frozenset(("functionCall",)), frozenset(("functionResponse",)))


def rest_body(request: Mapping[str, object]) -> dict[str, object] | None:
    """The body that the client would send for arguments of `generate_content`; None if that is
    not plain.
    """
    contents, config = request.get("contents"), request.get("config") or {}
    model = request.get("model")
    if request.keys() - {"model", "contents", "config"} or not isinstance(config, Mapping):
        return None
    if not isinstance(model, str) or "/" in model or not model.replace("-", "").isascii():
        return None
    if config.keys() - _BESIDE - _WITHIN or not _plain(contents):
        return None
    if not config:
        return {"contents": contents}
    if any(value is None for value in config.values()):
        return None
    tools = config.get("tools") or []
    if any(set(tool) != {"functionDeclarations"} for tool in tools) or len(tools) > 1:
        return None
    beside = {key: value for key, value in config.items() if key in _BESIDE}
    within = {key: value for key, value in config.items() if key in _WITHIN}
    instruction = beside.get("systemInstruction")
    if instruction is not None and not _plain([{"role": "user", **instruction}]):
        return None
    return {"contents": contents, **beside, "generationConfig": within}


def _plain(contents: object) -> bool:
    """Whether each turn is a role and parts, each a text, a call or what a call gave."""
    return isinstance(contents, list) and all(
        isinstance(turn, Mapping)
        and set(turn) == {"role", "parts"}
        and all(frozenset(part) in _PARTS for part in turn["parts"])
        for turn in contents
    )


class WireAnswer(NamedTuple):
    """A response, read. headers: with lower-case names."""

    status: int
    headers: dict[str, str]
    content: bytes


class GeminiWire:
    """Connections of the address and headers that a client has, one pool for each event loop.

    address: as far as the name of a model.
    """

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        self._address, self._headers = address, dict(headers)
        self._sessions: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[Any, dict[str, PlainPost | None]]
        ] = WeakKeyDictionary()

    @classmethod
    def under(cls, client: Any) -> GeminiWire | None:
        """The connections that a client would use; None for Vertex, where the environment names a
        proxy, or where a release of the client keeps its options elsewhere.
        """
        inner = getattr(client, "_api_client", None)
        options = getattr(inner, "_http_options", None)
        base, release = getattr(options, "base_url", None), getattr(options, "api_version", None)
        headers = getattr(options, "headers", None)
        plain = not getattr(inner, "vertexai", True) and not getproxies()
        if not (plain and base and release and headers):
            return None
        return cls(f"{base.rstrip('/')}/{release}/models/", headers)

    async def post(self, model: str, body: Mapping[str, Any]) -> WireAnswer:
        """The response. Raises what aiohttp raises."""
        import aiohttp

        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
            )
            self._sessions[loop] = session, {}
        session, posts = self._sessions[loop]
        data, url = json.dumps(body).encode(), f"{self._address}{model}:generateContent"
        if url not in posts:
            posts[url] = PlainPost.over(session, url, self._headers, session.timeout, unpack=True)
        plain = posts[url]
        if plain is not None and plain.takes(data):
            answered = await plain.post(data)
            if not 300 <= answered.status < 400:  # a redirect is the session's to follow
                return _answer(answered.status, answered.headers, answered.content)
        async with session.post(url, data=data, headers=self._headers) as response:
            return _answer(response.status, response.headers, await response.read())

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        session, _ = self._sessions.pop(asyncio.get_running_loop(), (None, None))
        if session is not None:
            await session.close()


def _answer(status: int, headers: Mapping[str, str], content: bytes) -> WireAnswer:
    return WireAnswer(status, {name.lower(): value for name, value in headers.items()}, content)
