"""Every failure of an endpoint is exactly one class, with its code and what the server asked to
wait.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
from email.utils import formatdate
from typing import Any

import pytest

from promptops.errors import CallError
from promptops.failure_classes import FAILURES
from promptops.models.clients import response_type
from promptops.models.completion import read_body
from promptops.models.endpoint import EndpointModel
from promptops.models.failures import error_of_exception, error_of_status, retry_after_s
from promptops.models.protocol import Call
from tests.faults.server import HANG, HANG_UP, RESET, FaultServer, Say, completion, error

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def failure_of(said: Say | str, **call: Any) -> CallError:
    with FaultServer(lambda seen: said) as server:
        return failure_at(server.url, **call)


def failure_at(url: str, **call: Any) -> CallError:
    async def once() -> None:
        model = EndpointModel(base_url=url, api_key="sk-test-12345678")
        try:
            await model.complete(Call(REQUEST, **call))
        finally:
            await model.aclose()

    with pytest.raises(CallError) as caught:
        asyncio.run(once())
    return caught.value


STATUSES = [
    (
        429,
        error("Rate limit reached", "rate_limit_exceeded"),
        "rate_limit",
        "429 rate_limit_exceeded",
    ),
    (
        429,
        error("You exceeded your current quota", "insufficient_quota"),
        "quota_exhausted",
        "429 insufficient_quota",
    ),
    (
        429,
        error("Quota: requests per minute. Please retry in 13 s", "RESOURCE_EXHAUSTED"),
        "rate_limit",
        "429 RESOURCE_EXHAUSTED",
    ),
    (429, error("The model is overloaded"), "overloaded", "429"),
    (402, error("Insufficient Balance"), "quota_exhausted", "402"),
    (401, error("Incorrect API key", "invalid_api_key"), "auth", "401 invalid_api_key"),
    (
        403,
        error("Country not supported", "unsupported_country"),
        "permission",
        "403 unsupported_country",
    ),
    (403, error("Your input was flagged by moderation"), "content_filter_input", "403"),
    (
        404,
        error("The model `x` does not exist", "model_not_found"),
        "not_found_model",
        "404 model_not_found",
    ),
    (404, b"<html>no such page</html>", "not_found_model", "404"),
    (
        400,
        error("maximum context length is 8192 tokens", "context_length_exceeded"),
        "context_length",
        "400 context_length_exceeded",
    ),
    (400, error("prompt is too long: 210000 tokens"), "context_length", "400"),
    (
        400,
        error("The response was filtered", "content_filter"),
        "content_filter_input",
        "400 content_filter",
    ),
    (
        400,
        error("Unknown parameter: 'foo'", "unknown_parameter", "invalid_request_error"),
        "bad_request",
        "400 unknown_parameter",
    ),
    (
        400,
        [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
        "auth",
        "400 400",
    ),
    (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "bad_request", "422"),
    (413, error("Request too large"), "bad_request", "413"),
    (408, b"", "timeout_read", "408"),
    (409, error("conflict"), "server_error", "409"),
    (
        500,
        error("The server had an error", kind="server_error"),
        "server_error",
        "500 server_error",
    ),
    (502, b"<html>bad gateway</html>", "server_error", "502"),
    (503, error("Engine overloaded, try later"), "overloaded", "503"),
    (529, error("Overloaded", kind="overloaded_error"), "overloaded", "529 overloaded_error"),
]


@pytest.mark.parametrize(
    ("status", "body", "failure", "code"),
    STATUSES,
    ids=[f"{row[0]}-{row[2]}-{i}" for i, row in enumerate(STATUSES)],
)
def test_each_status_is_one_class(status: int, body: Any, failure: str, code: str) -> None:
    """Status, code, type and message together decide; the code begins with the status."""
    told = error_of_status(status, body.decode() if isinstance(body, bytes) else body, {})
    assert (told.failure, told.code) == (failure, code)
    assert told.failure in FAILURES


@pytest.mark.parametrize("number", [0, 1, 9, 10, 19, 22])
def test_a_status_is_read_off_the_wire(number: int) -> None:
    """The same table through a real connection, with the request id."""
    status, body, failure, code = STATUSES[number]
    told = failure_of(Say(status=status, body=body, headers={"x-request-id": "req-1"}))
    assert (told.failure, told.code, told.request_id) == (failure, code, "req-1")


GOOD = "a body that is longer than what is sent of it " * 20


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (RESET, "connection"),
        (HANG_UP, "connection"),
        (Say(body=completion(GOOD), cut=100), "connection"),
        (Say(body=b'{"id": "x", "choices": [{"mess'), "server_error"),
        (Say(body=b"\xff\xfe not text"), "server_error"),
        (Say(body=b"[" * 100_000), "server_error"),
        (Say(body=[]), "server_error"),
        (Say(body={"object": "chat.completion"}), "server_error"),
        (Say(body=error("upstream crashed")), "server_error"),
        (Say(body=error("slow down", 429)), "rate_limit"),
        (Say(body=error("no credit", "insufficient_quota")), "quota_exhausted"),
        (Say(body=error("bad key", kind="authentication_error")), "auth"),
        (
            Say(
                body={
                    "choices": [
                        {
                            "error": {"code": 502, "message": "provider gone"},
                            "message": {"content": "ha"},
                        }
                    ]
                }
            ),
            "server_error",
        ),
        (Say(status=307, headers={"Location": "/v1/elsewhere"}), "bad_request"),
    ],
    ids=[
        "reset",
        "hung up",
        "reset in mid-body",
        "half JSON",
        "no text",
        "too deep",
        "a list",
        "no choices",
        "200 with error",
        "200 with 429",
        "200 with quota",
        "200 with auth",
        "router's error",
        "redirects forever",
    ],
)
def test_broken_replies_are_one_class(said: Say | str, failure: str) -> None:
    """A connection that breaks is not a bad answer, a bad answer is not a broken connection."""
    told = failure_of(said)
    assert told.failure == failure
    assert str(told)


def test_connect_and_read_timeouts_are_told_apart() -> None:
    """A port where nobody listens is a connection failure, a server that says nothing a read
    timeout.
    """
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert failure_at(f"http://127.0.0.1:{port}/v1").failure == "connection"
    assert failure_of(HANG, timeout_s=0.2).failure == "timeout_read"


def test_transports_exceptions_are_read_by_their_deepest_cause() -> None:
    """openai's aiohttp transport calls a server that hung up a connect timeout; the cause below it
    says what it was.
    """
    import aiohttp
    import openai

    http: Any = sys.modules[
        response_type(openai).__module__.partition(".")[0]
    ]  # httpx, or httpx2 in newer releases
    request = http.Request("POST", "http://127.0.0.1/")

    def chained(*links: BaseException) -> BaseException:
        for outer, inner in itertools.pairwise(links):
            outer.__cause__ = inner
        return links[0]

    outer = openai.APITimeoutError(request=request)
    assert (
        error_of_exception(
            chained(outer, http.ConnectTimeout(""), aiohttp.ServerDisconnectedError())
        ).failure
        == "connection"
    )
    assert (
        error_of_exception(
            chained(outer, http.ConnectTimeout(""), aiohttp.ConnectionTimeoutError())
        ).failure
        == "timeout_connect"
    )
    assert (
        error_of_exception(
            chained(outer, http.ReadTimeout(""), aiohttp.SocketTimeoutError())
        ).failure
        == "timeout_read"
    )
    assert (
        error_of_exception(chained(outer, http.ConnectTimeout(""), TimeoutError())).failure
        == "timeout_connect"
    )
    assert (
        error_of_exception(
            chained(openai.APIConnectionError(request=request), http.ReadError(""), OSError("gone"))
        ).failure
        == "connection"
    )
    assert error_of_exception(KeyError("x")).failure == "internal"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after": formatdate(1_000_030, usegmt=True)}, 30.0),
        (
            {
                "retry-after": formatdate(1_000_030, usegmt=True),
                "date": formatdate(1_000_000, usegmt=True),
            },
            30.0,
        ),
        ({"retry-after": formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({}, None),
        *[
            ({"retry-after": text}, None)
            for text in ("soon", "-5", "nan", "inf", "1e999", "", "Wed, 99 Foo 2026")
        ],
    ],
)
def test_retry_after_is_read_in_all_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    """Milliseconds before seconds or a date; garbage asks for nothing.

    A date is compared with the server's own clock.
    """
    assert retry_after_s(headers, now=1_000_000.0) == seconds


def test_retry_after_comes_with_the_failure() -> None:
    """What the server asked for travels in the error."""
    said = Say(status=503, body=error("busy"), headers={"Retry-After": "7"})
    assert failure_of(said).retry_after_s == 7.0


@pytest.mark.parametrize(
    ("content", "content_type", "failure"),
    [
        (
            b"<!DOCTYPE html><html><body>Welcome</body></html>",
            "text/html; charset=utf-8",
            "not_found_model",
        ),
        (b"\n <html>", "", "not_found_model"),
        (b"<center>busy</center>", "text/html", "not_found_model"),
        (b"<xml/>", "application/xml", "server_error"),
        (b'{"choices": [{"mess', "application/json", "server_error"),
    ],
)
def test_a_web_page_is_a_wrong_address_and_half_a_body_is_not(
    content: bytes, content_type: str, failure: str
) -> None:
    """Status 200 with HTML: a set-up fault that names base_url and is not tried again; torn JSON is
    the server's, and is.
    """
    with pytest.raises(CallError) as caught:
        read_body(content, {"content-type": content_type})
    assert caught.value.failure == failure
    assert ("base_url" in str(caught.value)) is (failure == "not_found_model")
