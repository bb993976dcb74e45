"""Vectors of texts for scorers that compare meaning: an OpenAI-compatible endpoint, any callable,
or the lexical default.

An embedder is a callable: texts -> as many vectors of equal length, or an awaitable of them.
Vectors are kept for a while, since the same golden answers meet every version; an empty text is
never sent.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from ..errors import CallError, PromptOpsError, ScorerError
from ..failure_classes import FAILURES
from ..models.clients import Clients
from ..models.completion import read_body
from ..models.failures import DEADLINE_S, error_of_exception, error_of_status
from .case import Case
from .function_version import FunctionVersion
from .reading import bare

__all__ = ["Embedder", "EndpointEmbedder", "Vectors", "cosine", "lexical"]

Dense = list[tuple[float, ...]]
Vector = Mapping[str, float] | Sequence[float]
Embedder = Callable[
    [Sequence[str]], Sequence[Sequence[float]] | Awaitable[Sequence[Sequence[float]]]
]

_KEPT = 4096  # vectors
_LONGEST = 200_000  # characters of a text that is sent
_TRIES = 4


class EndpointEmbedder:
    """An embedder that calls an OpenAI-compatible endpoint (`POST /embeddings`).

    A call with transient failures is tried up to 4 times within 10 minutes. What the calls cost is
    not part of a study's cost or budget.

    Args:
        model: the embedding model's name.
        client: your own openai client; else base_url and api_key, or the environment variables
            OPENAI_BASE_URL and OPENAI_API_KEY.
        base_url: the address of the endpoint.
        api_key: the endpoint's key.

    Raises:
        CallError: if four tries fail, or the server asks for a longer wait.
        SetupError: if there is no key.
    """

    def __init__(
        self,
        model: str,
        *,
        client: object = None,
        base_url: str | None = None,
        api_key: str | None = None,
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise ScorerError(f"the embedding model is {model!r}; give its name as text.")
        self.name = model
        self._clients = Clients(client, base_url, api_key)

    async def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        return (await self.embed(texts))[0]

    async def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], str | None]:
        """The vectors, and the name of the model as the reply gives it, or None. Raises as
        documented for the class.
        """
        body = {"model": self.name, "input": list(texts), "encoding_format": "float"}
        began = time.monotonic()
        for tried in range(1, _TRIES + 1):
            try:
                return await self._asked(body, len(texts))
            except CallError as error:
                if tried == _TRIES or FAILURES[error.failure] != "transient":
                    raise
                wait = error.retry_after_s or random.uniform(0.1, 0.5) * 2**tried
                if time.monotonic() + wait - began >= DEADLINE_S:
                    raise
                await asyncio.sleep(wait)
        raise AssertionError

    async def _asked(
        self, body: Mapping[str, object], count: int
    ) -> tuple[list[list[float]], str | None]:
        try:
            response = await (await self._clients.here()).post("/embeddings", body, {})
        except PromptOpsError:
            raise
        except Exception as error:
            failed: Any = getattr(error, "response", None)
            if getattr(failed, "status_code", None) is None:
                raise error_of_exception(
                    error
                ) from None  # the chain holds request headers, and so the key
            response = failed
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers.raw
        }
        if response.status_code >= 300:
            text = response.content[:4000].decode("utf-8", "replace")
            raise error_of_status(response.status_code, text, headers)
        found = read_body(response.content, headers, response.status_code)
        data = found.get("data") if isinstance(found, dict) else None
        if not isinstance(data, list) or len(data) != count:
            raise CallError(
                f"the endpoint answered {count} texts without as many embeddings.",
                failure="server_error",
                code="200 unreadable",
            )
        data = sorted(data, key=lambda item: item.get("index", 0))
        model = found.get("model")
        name = model if isinstance(model, str) and model else None
        return [item["embedding"] for item in data], name

    def __repr__(self) -> str:
        return f"EndpointEmbedder({self.name!r})"


class Vectors:
    """Texts to checked vectors, the last few thousand kept, all of one model. name and version: of
    the embedder, for a scorer's name.
    """

    def __init__(self, embedder: Embedder) -> None:
        if not callable(embedder):
            raise ScorerError(
                f"the embedder is {embedder!r}; give a callable of texts, such as"
                " EndpointEmbedder(model)."
            )
        self.embedder = embedder
        self.name = str(
            getattr(embedder, "name", None)
            or getattr(embedder, "__name__", type(embedder).__name__)
        )
        if self.name == "<lambda>":
            raise ScorerError(
                "the embedder is a lambda; give it a name, so that scores can be distinguished."
            )
        known = isinstance(embedder, EndpointEmbedder)
        self._code = None if known else FunctionVersion(embedder)
        self.version = self._code.now(embedder) if self._code else ""
        self._kept: OrderedDict[str, tuple[float, ...]] = OrderedDict()
        self._model: str | None = None  # that made those that are kept
        self._since = ""  # from when on they were made
        self._lock = threading.Lock()

    def version_now(self) -> str:
        """The version of what the embedder is now; vectors that it made otherwise are dropped."""
        with self._lock:
            found = self._code.now(self.embedder) if self._code else ""
            if found != self.version:
                self.version = found
                self._kept.clear()
            return found

    def of(self, texts: Sequence[str], cases: Sequence[Case] = ()) -> Dense | Awaitable[Dense]:
        """A vector for each text, all embedded in one call and by one model; () for one that is
        empty. Awaitable if the embedder is.

        Args:
            texts: what is embedded.
            cases: what is judged by it: each notes whose vectors these are, and a pass that
                asks all of it again leaves out what was kept before it.

        Raises:
            TypeError, ValueError: the embedder gives something else than finite vectors of one
                length.
        """
        clean = [text[:_LONGEST].encode("utf-8", "replace").decode() for text in texts]
        noting = [case.judged_by for case in cases if case.judged_by is not None]
        since = max((each.since for each in noting), default="")
        with self._lock:
            if since > self._since:
                self._since = since
                self._kept.clear()
            known = {text: self._kept[text] for text in clean if text in self._kept}
            model = self._model
        wanted = [text for text in dict.fromkeys(clean) if text.strip()]
        missing = [text for text in wanted if text not in known]
        if isinstance(embedder := self.embedder, EndpointEmbedder):

            async def of_one_model() -> Dense:
                found, by = await self._by_endpoint(embedder, wanted, known, model)
                for each in noting:
                    each.note(by)
                return [found.get(text, ()) for text in clean]

            return of_one_model()
        given = self._asked(embedder, missing) if missing else []
        if inspect.isawaitable(given):

            async def later() -> Dense:
                return self._with(clean, known, missing, await given)

            return later()
        return self._with(clean, known, missing, given)

    def _asked(self, embedder: Embedder, texts: list[str]) -> object:
        return self._code.calling(lambda: embedder(texts)) if self._code else embedder(texts)

    async def _by_endpoint(
        self,
        embedder: EndpointEmbedder,
        wanted: list[str],
        known: dict[str, tuple[float, ...]],
        model: str | None,
    ) -> tuple[dict[str, tuple[float, ...]], str | None]:
        """The vectors of the wanted texts and who made them. Those of different models are never
        compared: if another one answers now, the known ones, which are of `model`, are asked for
        again.
        """
        missing = [text for text in wanted if text not in known]
        if not missing:
            return known, model
        vectors, by = await embedder.embed(missing)
        if known and by != model:
            known, missing = {}, wanted
            vectors, by = await embedder.embed(wanted)
        made = dict(zip(missing, _checked(vectors, len(missing)), strict=True))
        self._keep(known, made, by)
        return {**known, **made}, by

    def _with(
        self,
        clean: list[str],
        known: dict[str, tuple[float, ...]],
        missing: list[str],
        vectors: object,
    ) -> Dense:
        made = dict(zip(missing, _checked(vectors, len(missing)), strict=True)) if missing else {}
        self._keep(known, made, None)
        return [known.get(text, made.get(text, ())) for text in clean]

    def _keep(
        self,
        used: Iterable[str],
        made: Mapping[str, tuple[float, ...]],
        model: str | None,
    ) -> None:
        """Keep what was made and what was used longest. Those of another model are dropped."""
        with self._lock:
            if made and model != self._model:
                self._kept.clear()
                self._model = model
            for text in used:
                if text in self._kept:
                    self._kept.move_to_end(text)
            self._kept.update(made)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _checked(vectors: Any, count: int) -> list[tuple[float, ...]]:
    rows = [tuple(map(float, vector)) for vector in vectors]
    if len(rows) != count or len({len(row) for row in rows}) > 1 or not rows[0]:
        raise ValueError(
            f"the embedder gave {len(rows)} vectors for {count} texts, or of different lengths"
        )
    if not all(math.isfinite(value) for row in rows for value in row):
        raise ValueError("the embedder gave a vector with NaN or infinity")
    return rows


def cosine(one: Vector, two: Vector) -> float:
    """Cosine of two vectors, or of two sparse ones (name -> weight), in [-1, 1]; 0 if one has no
    length.
    """
    if one == two:
        return float(any(one.values() if isinstance(one, Mapping) else one))
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        product = sum(weight * two.get(name, 0.0) for name, weight in one.items())
        first, second = list(one.values()), list(two.values())
    elif isinstance(one, Mapping) or isinstance(two, Mapping):
        raise TypeError("a sparse vector meets a dense one")
    else:
        first, second = list(one), list(two)
        product = sum(map(lambda a, b: a * b, first, second))
    length = math.hypot(*first) * math.hypot(*second)
    return min(max(product / length, -1.0), 1.0) if length > 0 else 0.0


def lexical(text: str) -> dict[str, float]:
    """A text as counts of its words and of the three-letter pieces of its words, folded: shared
    wording, not meaning.
    """
    words = "".join(letter if letter.isalnum() else " " for letter in bare(text[:_LONGEST])).split()
    counts = Counter[str](words)
    counts.update(
        f"{word[start : start + 3]}~"
        for word in (f" {word} " for word in words)
        for start in range(len(word) - 2)
    )
    return {name: 1 + math.log(count) for name, count in counts.items()}
