"""Meaning by any embedder: cosine in [0, 1], batches in one call, an endpoint that is retried, a
lexical default that says so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from promptops.dataset.example import Example
from promptops.errors import CallError, ScorerError, SetupError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import (
    BatchScorer,
    Case,
    EndpointEmbedder,
    all_of,
    classified,
    contains,
    mentions,
    scorer,
    similar_meaning,
    try_out,
)
from promptops.scorers.embedding import cosine, lexical
from promptops.scoring.score_phase import ScorePhase

WORDS = ["cat", "dog", "car"]


def counts(texts: Sequence[str]) -> list[list[float]]:
    """Counts of three words: a tiny embedder."""
    return [[float(text.count(word)) for word in WORDS] for text in texts]


def cases(*pairs: tuple[str, Any]) -> list[Case]:
    made = []
    for number, (output, expected) in enumerate(pairs):
        example = Example(f"e{number}", {}, expected)
        made.append(
            Case(
                output,
                example,
                Run(
                    f"r-{number}",
                    "k",
                    "",
                    "p1-a",
                    "",
                    "x",
                    "model",
                    example.id,
                    None,
                    0,
                    "{}",
                    output,
                ),
            )
        )
    return made


def phase(judge: Any, judged: list[Case], **options: Any) -> list[Score]:
    async def run() -> dict[str, Score]:
        return {
            case.example.id: score
            async for case, _, score in ScorePhase([judge], **options).score_async(judged)
        }

    found = asyncio.run(run())
    return [found[case.example.id] for case in judged]


@given(
    st.lists(st.floats(-10, 10), min_size=3, max_size=3),
    st.lists(st.floats(-10, 10), min_size=3, max_size=3),
)
def test_cosine_as_numpy(one: list[float], two: list[float]) -> None:
    """Cosine is symmetric, in [-1, 1], and numpy's."""
    value = cosine(one, two)
    assert -1 <= value <= 1
    assert value == pytest.approx(cosine(two, one))
    length = np.linalg.norm(one) * np.linalg.norm(two)
    if length > 1e-6:
        assert value == pytest.approx(float(np.dot(one, two) / length), abs=1e-9)


@given(st.text(), st.text())
def test_lexical_range_and_symmetry(one: str, two: str) -> None:
    """The lexical default is in [0, 1], is symmetric, and is 1 for equal texts that have
    words.
    """
    there, back = (
        try_out(similar_meaning(), one, expected=two),
        try_out(similar_meaning(), two, expected=one),
    )
    assert isinstance(there, Score)
    assert isinstance(back, Score)
    assert there.value == pytest.approx(back.value)
    same = try_out(similar_meaning(), one, expected=one)
    assert isinstance(same, Score)
    assert same.value == float(bool(lexical(one)))


def test_lexical_says_what_it_is() -> None:
    """The name says lexical; shared wording counts more than none, whatever the meaning."""
    assert similar_meaning().name == "similar_meaning(expected, by=lexical)"
    near = try_out(similar_meaning(), "the order was shipped", expected="the orders were shipped")
    far = try_out(similar_meaning(), "le colis est parti", expected="the orders were shipped")
    assert near.value > 0.5 > far.value  # type: ignore[union-attr, operator]


TABLE = [
    ("cat cat", "cat", 1.0),
    ("cat", "dog", 0.0),
    ("cat dog", "cat", 2**-0.5),
    ("", "cat", 0.0),
    ("nothing", "cat", 0.0),
]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(("output", "expected", "value"), TABLE)
def test_any_embedder(asynchronous: bool, output: str, expected: str, value: float) -> None:
    """The value is max(0, cosine), alone and in a batch, with sync and async embedders; empty texts
    are never embedded.
    """
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> list[list[float]]:
        asked.extend(texts)
        return counts(texts)

    async def embed_later(texts: Sequence[str]) -> list[list[float]]:
        return embed(texts)

    judge = similar_meaning(embedder=embed_later if asynchronous else embed, at_least=0.7)
    assert isinstance(judge, BatchScorer)
    one = try_out(judge, output, expected=expected)
    batch = phase(judge, cases((output, expected), ("cat", "cat"), ("dog", None)))
    assert isinstance(one, Score)
    assert one.value == pytest.approx(value)
    assert one.passed is (value >= 0.7)
    assert batch[0] == one
    assert batch[1].passed
    assert str(batch[2].unscored).startswith("missing expected")
    assert "" not in asked


def test_batches_are_one_call_and_vectors_are_kept() -> None:
    """32 cases cost one call, golden answers are embedded once, and nothing is embedded twice."""
    calls: list[int] = []

    def embed(texts: Sequence[str]) -> list[list[float]]:
        calls.append(len(texts))
        return counts(texts)

    judge = similar_meaning(embedder=embed)
    found = phase(judge, cases(*((f"cat {number % 10}", "cat") for number in range(32))))
    assert [score.value for score in found] == [1.0] * 32
    assert calls == [11]
    phase(judge, cases(*((f"cat {number % 10}", "cat") for number in range(32))))
    assert calls == [11]


def test_one_bad_text_costs_its_own_row() -> None:
    """Where a batch fails each case is asked alone: only the one at fault is unscored."""

    def embed(texts: Sequence[str]) -> list[list[float]]:
        if any("poison" in text for text in texts):
            raise ValueError("no")
        return counts(texts)

    found = phase(
        similar_meaning(embedder=embed), cases(("cat", "cat"), ("poison", "cat"), ("dog", "cat"))
    )
    assert [score.value for score in found] == [1.0, None, 0.0]
    assert found[1].unscored == "scorer_error: ValueError: no"


@pytest.mark.parametrize(
    "vectors",
    [
        [],
        [[1.0]],
        [[1.0], [1.0, 2.0]],
        [[float("nan")], [1.0]],
        [[float("inf")], [1.0]],
        None,
        [["a"], ["b"]],
        [[], []],
        3,
    ],
)
def test_bad_vectors_are_errors_of_the_scorer(vectors: Any) -> None:
    """Too few vectors, other lengths, NaN and infinity leave the row unscored."""

    def embed(texts: Sequence[str]) -> Any:
        return vectors

    [found] = phase(similar_meaning(embedder=embed), cases(("a", "b")))
    assert str(found.unscored).startswith("scorer_error: ")


def test_names_and_versions() -> None:
    """The embedder is in the name, its source in the version; a lambda has no name."""
    assert similar_meaning(embedder=counts).name == "similar_meaning(expected, by=counts)"
    assert similar_meaning(embedder=counts).version != "1"
    assert (
        similar_meaning(embedder=EndpointEmbedder("m", api_key="k")).name
        == "similar_meaning(expected, by=m)"
    )
    for wrong in (lambda texts: counts(texts), 3):
        with pytest.raises(ScorerError):
            similar_meaning(embedder=wrong)  # type: ignore[arg-type]
    assert all_of(similar_meaning(embedder=counts, at_least=0.5), contains("a")).remote


def answered(server: HTTPServer, *faults: tuple[int, dict[str, str]]) -> list[dict[str, Any]]:
    """An endpoint that counts words, after its faults; the bodies that it was sent."""
    bodies: list[dict[str, Any]] = []
    left = list(faults)

    def handle(request: Request) -> Response:
        bodies.append(json.loads(request.data))
        if left:
            status, headers = left.pop(0)
            return Response(
                json.dumps({"error": {"message": "no"}}),
                status,
                headers,
                content_type="application/json",
            )
        data = [
            {"index": place, "embedding": vector}
            for place, vector in enumerate(counts(bodies[-1]["input"]))
        ]
        return Response(
            json.dumps({"data": data[::-1], "model": "m"}), content_type="application/json"
        )

    server.expect_request("/v1/embeddings", method="POST").respond_with_handler(handle)
    return bodies


def test_endpoint(httpserver: HTTPServer) -> None:
    """Texts are posted as OpenAI's API takes them, vectors are put in order, transient failures
    tried again.
    """
    bodies = answered(httpserver, (503, {"retry-after": "0"}), (429, {"retry-after": "0"}))
    embedder = EndpointEmbedder("m", base_url=httpserver.url_for("/v1"), api_key="sk-secret")
    found = phase(similar_meaning(embedder=embedder), cases(("cat", "cat"), ("dog", "cat")))
    assert [score.value for score in found] == [1.0, 0.0]
    assert len(bodies) == 3
    assert bodies[-1] == {"model": "m", "input": ["cat", "dog"], "encoding_format": "float"}


@pytest.mark.timeout(30)
def test_endpoint_that_asks_for_a_day(httpserver: HTTPServer) -> None:
    """A wait that is longer than any call may take is an error at once."""
    bodies = answered(httpserver, *[(429, {"retry-after": "86400"})] * 9)
    embedder = EndpointEmbedder("m", base_url=httpserver.url_for("/v1"), api_key="k")
    with pytest.raises(CallError):
        asyncio.run(embedder(["a"]))
    assert len(bodies) == 1


def test_endpoint_that_refuses(httpserver: HTTPServer) -> None:
    """A refused key is not tried again, and never is in the reason."""
    bodies = answered(httpserver, *[(401, {})] * 9)
    embedder = EndpointEmbedder(
        "m", base_url=httpserver.url_for("/v1"), api_key="sk-secret-0123456789"
    )
    [found] = phase(similar_meaning(embedder=embedder), cases(("cat", "cat")))
    assert str(found.unscored).startswith("scorer_error: CallError")
    assert "sk-secret" not in str(found.unscored)
    assert len(bodies) == 1


def test_endpoint_without_embeddings(httpserver: HTTPServer) -> None:
    """An answer without as many embeddings is an error, after all tries."""
    httpserver.expect_request("/v1/embeddings").respond_with_json({"data": []})
    embedder = EndpointEmbedder("m", base_url=httpserver.url_for("/v1"), api_key="k")
    with pytest.raises(CallError, match="without as many embeddings"):
        asyncio.run(embedder._asked({"model": "m", "input": ["a"]}, 1))


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key nothing is sent."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(SetupError, match="no API key"):
        asyncio.run(EndpointEmbedder("m")(["a"]))


def tone(text: str) -> str:
    return "rude" if "!" in text else "kind"


async def tone_later(text: str) -> str:
    return tone(text)


@pytest.mark.parametrize("classifier", [tone, tone_later])
def test_classified(classifier: Any) -> None:
    """The label is kept; it passes if it is wanted, or the row's own."""
    found = try_out(classified(classifier, "kind", "neutral"), "go!")
    assert isinstance(found, Score)
    assert (found.passed, found.category, found.reason) == (
        False,
        "rude",
        'is "rude", expected kind or neutral',
    )
    assert try_out(classified(classifier), "hello", expected="kind").passed  # type: ignore[union-attr]
    assert classified(classifier).needs == ("expected",)
    [late] = phase(classified(classifier, "kind"), cases(("hello", None)))
    assert late.passed


def test_classifiers_that_give_no_label() -> None:
    """Something else than a text is an error of the scorer; what has no name is refused."""

    def number(text: str) -> int:
        return 3

    [found] = phase(classified(number, "kind"), cases(("a", None)))
    assert "gave int instead of a label" in str(found.unscored)
    for build in (lambda: classified(lambda text: "a"), lambda: classified(tone, "")):
        with pytest.raises(ScorerError):
            build()


def test_mentions_by_meaning() -> None:
    """With an embedder a sentence that is near the term counts where no word was found; words are
    found without it.
    """
    judge = mentions("cat", embedder=counts, near=0.9)
    assert judge.name == "mentions(cat, near=0.9, by=counts)"
    assert try_out(judge, "a cat").unit == "mentions"  # type: ignore[union-attr]
    near = try_out(judge, "We like dogs. We love catlike bobcats.")
    assert isinstance(near, Score)
    assert (near.passed, near.raw_value, near.unit) == (True, 1.0, "cosine")
    assert not try_out(judge, "We like dogs.").passed  # type: ignore[union-attr]
    assert not try_out(judge, "").passed  # type: ignore[union-attr]
    assert try_out(mentions("refund", fuzzy=0.8), "a refnud please").passed  # type: ignore[union-attr]
    assert not try_out(mentions("refund", fuzzy=0.8), "a found item").passed  # type: ignore[union-attr]
    assert (
        try_out(mentions("Globex Corporation", fuzzy=0.85), "the Globx Corporaton").raw_value == 1.0
    )  # type: ignore[union-attr]
    for wrong in (0.2, 2, True):
        with pytest.raises(ScorerError):
            mentions("a", fuzzy=wrong)


def test_batch_functions() -> None:
    """`@scorer(batch=True)` takes lists and gives a list, in one call; another number of verdicts
    is an error.
    """
    calls: list[int] = []

    @scorer(batch=True, at_least=0.5)
    def lengths(output: list[str], expected: list[str]) -> list[float]:
        calls.append(len(output))
        return [min(len(one) / len(two), 1.0) for one, two in zip(output, expected, strict=True)]

    @scorer(batch=True)
    async def short(output: list[str]) -> list[bool]:
        return [True]

    assert isinstance(lengths, BatchScorer)
    found = phase(lengths, cases(("ab", "abcd"), ("a", "abcd"), ("abcd", "a")))
    assert [(score.value, score.passed) for score in found] == [
        (0.5, True),
        (0.25, False),
        (1.0, True),
    ]
    assert calls == [3]
    assert try_out(lengths, "ab", expected="ab").passed  # type: ignore[union-attr]
    assert [score.value for score in phase(short, cases(("a", 1), ("b", 1)))] == [
        1.0,
        1.0,
    ]  # alone each is right
    assert "1 verdict on 2 answers" in str(asyncio.run(_raised(short)))


async def _raised(judge: Any) -> BaseException:
    try:
        await judge.score_many(cases(("a", 1), ("b", 1)))
    except TypeError as error:
        return error
    raise AssertionError
