"""Every way in which a call to an endpoint fails, mapped to exactly one class of `FAILURES`.

Read from the status, the body and the exception's chain, never from one provider's library alone:
many endpoints speak the same protocol and fail in their own words. What nobody knows is a server
error, which is tried again.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ..errors import CallError
from ..late_pattern import late_pattern

__all__ = [
    "DEADLINE_S",
    "damaged",
    "error_of_body",
    "error_of_exception",
    "error_of_status",
    "retry_after_s",
]

DEADLINE_S = 600.0  # of one call with its retries, whatever wait a server asks for

_SHOWN = 1000  # characters of a provider's message that are kept
_QUOTA = late_pattern(
    r"(?i)insufficient[_ ](?:quota|balance|funds|credit)|billing|credit balance"
    r"|exceeded your current quota|payment required",
)
_PER_TIME = late_pattern(
    r"(?i)per (?:second|minute|hour|day)|\b[rt]p[mds]\b|resource_exhausted|(?:retry|try again)"
    r" (?:in|after)",
)
# in the words of OpenAI, Anthropic, Gemini, Bedrock, Mistral, Cohere, vLLM, SGLang, llama.cpp, TGI,
# Ollama and LM Studio
_CONTEXT = late_pattern(
    r"(?i)context[_ -]?(?:length|window|size|limit)|maximum (?:context|prompt|input|model length)"
    r"|(?:prompt|input)(?: is|'s)? too (?:long|large)|too many (?:input )?tokens"
    r"|string_above_max_length|exceeds? the (?:maximum|limit of).{0,30}tokens|reduce the length"
    r"|`?inputs`? (?:tokens|must have less)|longer than the (?:maximum model|model's)"
    r"|tokens in the prompt cannot exceed|context the overflows"
    r"|(?:tokens|count).{0,30} exceeds? the (?:limit|maximum)"
    r"|tokens?.{0,40} exceed.{0,20}(?:context|max message)|max_seq_len"
    r"|(?:context|window) is only|input length should be|request_too_large",
)
# what an error of the server's own says beside it, where an overflow comes with a status of 500
_OVERFLOWN = late_pattern(
    r"(?i)exceed|too (?:long|large|many)|longer than|less than|at most|overflow|reduce|increase"
)
_FILTER = late_pattern(
    r"(?i)content[_ ](?:filter|policy|management)|responsibleai|moderation|flagged|safety"
    r" (?:system|filter)|invalid_prompt|usage policies",
)
_KEY = late_pattern(
    r"(?i)api[_ -]?key.{0,20}(?:invalid|not"
    r" valid|missing|incorrect|expired)|(?:invalid|incorrect|missing)[_ ](?:x-)?api[_"
    r" -]?key|unauthor|authentication",
)
_MODEL = late_pattern(
    r"(?i)model[_ ]not[_ ]found|deploymentnotfound|unknown[_ ]model|invalid[_"
    r" ]model|model.{0,80}(?:does not exist|not found|not supported|not available)",
)
_OVERLOADED = late_pattern(r"(?i)overloaded|at capacity|over capacity|capacity[_ ]exceeded")
_BY_STATUS = {
    401: "auth",
    402: "quota_exhausted",
    403: "permission",
    404: "not_found_model",
    407: "auth",
    408: "timeout_read",
    409: "server_error",
    425: "server_error",
    429: "rate_limit",
    529: "overloaded",
}


def error_of_status(
    status: int, body: object, headers: Mapping[str, str], now: float | None = None
) -> CallError:
    """The failure of a reply with an error status. body: its JSON, or its text; now: Unix seconds,
    for Retry-After dates.
    """
    code, kind, message = _told(body)
    failure = _class_of(
        status, f"{code} {kind} {message}", "retry-after" in headers or "retry-after-ms" in headers
    )
    return CallError(
        message or f"the endpoint answered with HTTP {status} and no message.",
        failure=failure,
        code=f"{status} {code or kind}".strip(),
        retry_after_s=retry_after_s(headers, now),
        request_id=headers.get("x-request-id"),
    )


def damaged(what: str) -> CallError:
    """The failure of a stream whose events cannot be what the provider sent."""
    return CallError(f"the stream is damaged: {what}.", failure="connection", code="200 damaged")


def error_of_body(body: object, headers: Mapping[str, str], status: int = 200) -> CallError:
    """The failure of a reply that has no answer in it though its status says success.

    An error object in it is read as if its own code were the status; anything else is a server
    error.
    """
    if isinstance(body, list) and body:  # Google wraps the object in a list
        body = body[0]
    error = body.get("error") if isinstance(body, Mapping) else None
    if not error:
        without = "a message in its choices" if _has(body, "choices") else "choices"
        what = (
            f"JSON without {without} ({', '.join(map(str, list(body)[:8])) or 'empty'})"
            if isinstance(body, Mapping)
            else type(body).__name__
        )
        told = f"the endpoint answered with HTTP {status}, but with {what} instead of a completion."
        return CallError(
            told,
            failure="server_error",
            code=f"{status} unreadable",
            request_id=headers.get("x-request-id"),
        )
    code, kind, message = _told(body)
    stated = int(code) if code.isascii() and code.isdecimal() and 400 <= int(code) <= 599 else 0
    failure = _class_of(
        stated or _status_of_words(f"{code} {kind}"), f"{code} {kind} {message}", False
    )
    return CallError(
        message or "the endpoint answered with an error object that has no message.",
        failure=failure,
        code=f"{status} {code or kind}".strip(),
        retry_after_s=retry_after_s(headers),
        request_id=headers.get("x-request-id"),
    )


def _has(body: object, key: str) -> bool:
    return isinstance(body, Mapping) and key in body


def error_of_exception(error: BaseException) -> CallError:
    """The failure of an attempt that brought no reply. A timeout is one only if the deepest
    cause is: transports report a server that hung up as a connect timeout.
    """
    chain = _chain(error)
    names = [type(link).__name__ for link in chain]
    deepest = chain[-1]
    told = _first(str(link).strip() for link in reversed(chain)) or names[0]
    message = f"{names[-1]}: {told}"[:_SHOWN]
    return CallError(message, failure=_class_of_chain(chain), code=type(deepest).__name__)


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the server asks to wait: retry-after-ms, else Retry-After in seconds or as a
    date; None for anything else.

    A date is compared with the server's own Date where it sends one, since clocks differ.
    """
    millis = _seconds(headers.get("retry-after-ms"))
    if millis is not None:
        return millis / 1000
    text = headers.get("retry-after")
    seconds = _seconds(text)
    if seconds is not None or not text:
        return seconds
    moment = _moment(text)
    if moment is None:
        return None
    here = _moment(headers.get("date") or "")
    return max(0.0, moment - (here if here is not None else time.time() if now is None else now))


def _class_of(status: int, words: str, wait_asked: bool) -> str:
    if status == 429:
        exhausted = _QUOTA.search(words) and (
            "insufficient_quota" in words or not (wait_asked or _PER_TIME.search(words))
        )
        return (
            "quota_exhausted"
            if exhausted
            else "overloaded"
            if _OVERLOADED.search(words)
            else "rate_limit"
        )
    if status in (400, 413, 422):
        for pattern, failure in (
            (_CONTEXT, "context_length"),
            (_FILTER, "content_filter_input"),
            (_KEY, "auth"),
            (_MODEL, "not_found_model"),
        ):
            if pattern.search(words):
                return failure
        return "quota_exhausted" if _QUOTA.search(words) else "bad_request"
    if status == 403 and _QUOTA.search(words):
        return "quota_exhausted"
    if status == 403 and _FILTER.search(words):
        return "content_filter_input"
    if status == 500 and _CONTEXT.search(words) and _OVERFLOWN.search(words):
        return "context_length"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return "overloaded" if _OVERLOADED.search(words) else "server_error"
    return "bad_request" if 300 <= status < 500 else "server_error"


def _status_of_words(words: str) -> int:
    """The status that an error object's type means; 500 where it says nothing known."""
    lower = words.lower()
    for part, status in (
        ("insufficient_quota", 429),
        ("rate_limit", 429),
        ("overloaded", 529),
        ("authentication", 401),
        ("invalid_api_key", 401),
        ("permission", 403),
        ("not_found", 404),
        ("invalid_request", 400),
        ("context_length", 400),
        ("content_filter", 400),
        ("timeout", 408),
    ):
        if part in lower:
            return status
    return 500


def _class_of_chain(chain: list[BaseException]) -> str:
    names = " ".join(name for link in chain for name in (c.__name__ for c in type(link).__mro__))
    last = " ".join(c.__name__ for c in type(chain[-1]).__mro__)
    if any(word in last for word in ("JSONDecodeError", "UnicodeDecodeError", "RecursionError")):
        return "server_error"  # of a stream's event
    if any(word in names for word in ("TooManyRedirects", "UnsupportedProtocol", "InvalidURL")):
        return "bad_request"  # the address is wrong, and will be the next time
    if "ConnectionTimeoutError" in names:  # aiohttp's, of the connection
        return "timeout_connect"
    if "SocketTimeoutError" in names or "ReadTimeout" in names or "WriteTimeout" in names:
        return "timeout_read"
    if "TimeoutError" in last or "TimeoutException" in last:
        return (
            "timeout_connect"
            if "ConnectTimeout" in names or "PoolTimeout" in names
            else "timeout_read"
        )
    if any(
        word in names
        for word in (
            "ClientError",
            "ConnectionError",
            "OSError",
            "TransportError",
            "RequestError",
            "EndOfStream",
            "HttpProcessingError",
        )
    ):
        return "connection"
    return "internal"


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and what caused it, outermost first."""
    chain = [error]
    while (
        cause := chain[-1].__cause__
        or (None if chain[-1].__suppress_context__ else chain[-1].__context__)
    ) is not None:
        if cause in chain or len(chain) > 10:
            break
        chain.append(cause)
    return [link for link in chain if not isinstance(link, asyncio.CancelledError)] or [
        error
    ]  # how a timeout ends its task


def _told(body: object) -> tuple[str, str, str]:
    """(code, type, message) of an error body in any of the shapes that endpoints send."""
    if isinstance(body, str):
        return "", "", " ".join(body.split())[:_SHOWN]
    if isinstance(body, list) and body:  # Google wraps the object in a list
        body = body[0]
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return "", "", error[:_SHOWN]
    if not isinstance(error, Mapping):
        return "", "", ""
    inner = error.get("innererror") or error.get("inner_error")
    code = _text(error.get("code")) or (
        _text(inner.get("code")) if isinstance(inner, Mapping) else ""
    )
    message = (
        _text(error.get("message"))
        or _text(error.get("detail"))
        or _text(error.get("error_description"))
    )
    return code, _text(error.get("type")) or _text(error.get("status")), message[:_SHOWN]


def _text(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, (str, int)):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False)[:_SHOWN]
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _moment(text: str) -> float | None:
    """Unix seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError, OSError):
        return None


def _first(texts: Any) -> str:
    return next((text for text in texts if text), "")
