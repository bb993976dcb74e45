"""The class of `FAILURES` that an exception of a provider's client belongs to, recognised by
its status and its names: no client is imported here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["error_class", "error_words", "named_class", "never_sent"]

_BY_STATUS = {
    401: "auth",
    403: "permission",
    404: "not_found_model",
    408: "timeout_read",
    409: "server_error",
    429: "rate_limit",
    503: "overloaded",
    529: "overloaded",
}
_BY_NAME = (
    (re.compile("ConnectTimeout|PoolTimeout"), "timeout_connect"),
    (re.compile("Timeout"), "timeout_read"),
    (re.compile("RateLimit|ResourceExhausted|TooManyRequests"), "rate_limit"),
    (re.compile("Authentication|Unauthenticated"), "auth"),
    (re.compile("PermissionDenied|Forbidden"), "permission"),
    (re.compile("NotFound"), "not_found_model"),
    (re.compile("Connection|Connect|Transport|Network|Socket|OSError|Protocol"), "connection"),
    (re.compile("InternalServer|ServerError|ServiceUnavailable|APIStatus"), "server_error"),
    (re.compile("BadRequest|InvalidRequest|InvalidArgument|Unprocessable"), "bad_request"),
)
_CODE = re.compile(r"\b(?:code|status|HTTP):? ([45]\d\d)\b", re.I)
_QUOTA = re.compile("insufficient_quota|billing|credit balance|quota", re.I)
_CONTEXT = re.compile("context_length|context window|too many tokens|prompt is too long", re.I)
_FILTER = re.compile("content_filter|content_policy|safety|blocked", re.I)


def error_class(error: BaseException) -> str:
    """The failure's class; "cancelled" for a task or a process that was stopped, "internal" for
    what no provider raises.
    """
    kind = type(error)
    if not isinstance(error, Exception) or kind.__name__ == "CancelledError":
        return "cancelled"
    if kind.__name__ == "RenderError":
        return "render_error"
    if kind.__name__ in ("LengthFinishReasonError", "ContentFilterFinishReasonError"):
        return "truncated_length" if kind.__name__[0] == "L" else "content_filter_output"
    words = _words(error)
    if kind.__name__ == "ValidationError":  # of pydantic, by which `parse` reads the answer
        return "invalid_json" if "Invalid JSON" in words else "schema_mismatch"
    status = _status(error)
    if status == 429:
        return "quota_exhausted" if "insufficient_quota" in words else "rate_limit"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None and 400 <= status < 500:
        for pattern, failure in (
            (_CONTEXT, "context_length"),
            (_FILTER, "content_filter_input"),
            (_QUOTA, "quota_exhausted"),
        ):
            if pattern.search(words):
                return failure
        return "bad_request"
    if status is not None and status >= 500:
        return "server_error"
    names = " ".join(each.__name__ for each in kind.__mro__[:-2]) or kind.__name__
    for pattern, failure in _BY_NAME:
        if pattern.search(names):
            return failure
    return "internal"


def named_class(name: str, words: str) -> str:
    """The class of an error of which only its name and its message are known, as in a span."""
    found = _CODE.search(words)
    status = int(found[1]) if found else 0
    if status == 429:
        return "quota_exhausted" if "insufficient_quota" in words else "rate_limit"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    for pattern, failure in _BY_NAME:
        if pattern.search(name) or pattern.search(words.partition(":")[0]):
            return failure
    return "server_error" if status >= 500 else "bad_request" if status >= 400 else "internal"


def error_words(error: BaseException) -> str:
    """Status, code and the exception's name: what may be kept where the text is content."""
    code = getattr(error, "code", None)
    shown = [str(_status(error) or ""), code if isinstance(code, str) else "", type(error).__name__]
    return " ".join(filter(None, shown))[:200]


def never_sent(
    error: TypeError,
    door: Callable[..., object],
    args: tuple[object, ...],
    request: Mapping[str, object],
) -> bool:
    """Whether a client refused the arguments of a call before it sent anything: the door does not
    take them, the client misses some, or JSON cannot hold them.
    """
    if str(error).startswith("Missing required arguments"):  # OpenAI's and Anthropic's clients
        return True
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is not None and last.tb_frame.f_globals.get("__name__") == "json.encoder":
        return True
    import inspect

    try:
        inspect.signature(door).bind(*args, **request)
    except TypeError:
        return True
    return False


def _status(error: BaseException) -> int | None:
    for value in (
        getattr(error, "status_code", None),
        getattr(error, "code", None),
        getattr(error, "status", None),
    ):
        if isinstance(value, int) and 100 <= value < 600:
            return value
    return None


def _words(error: BaseException) -> str:
    body: Any = getattr(error, "body", None)
    return f"{getattr(error, 'code', '')} {body or ''} {error}"[:4_000]
