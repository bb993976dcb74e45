"""A request as `create(**request)` takes it, taken apart: the body, and the options of the call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import SetupError

__all__ = ["as_json", "batch_body", "body_of"]

_OURS = frozenset(
    ("extra_body", "timeout", "extra_headers", "extra_query")
)  # arguments of `create` that do not belong to the body
# as the clients write a body; made once, since making one takes a fifth of what it writes
_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_STREAMING = ("stream", "stream_options")  # how an answer is delivered, which a batch decides


def body_of(request: Mapping[str, Any]) -> tuple[dict[str, object], dict[str, object]]:
    """The body to send, and the client's options for it, as `create(**request)` would send them."""
    body, options = dict(request), dict[str, object]()
    if not _OURS.isdisjoint(body):
        extra = {name: body.pop(name) for name in _OURS if name in body}
        body.update(extra.get("extra_body") or {})
        if extra.get("extra_headers"):
            options["headers"] = extra["extra_headers"]
        if extra.get("extra_query"):
            options["params"] = extra["extra_query"]
        if extra.get("timeout") is not None:
            options["timeout"] = extra["timeout"]
    return body, options


def batch_body(request: Mapping[str, object]) -> dict[str, object]:
    """The body as a batch takes it. Raises SetupError for headers or a query of its own."""
    body, options = body_of(request)
    for name in ("headers", "params"):
        if name in options:
            argument = "extra_headers" if name == "headers" else "extra_query"
            raise SetupError(
                f"a batch sends no {argument} with a single request; set them on the client, or"
                " leave batch=True out."
            )
    return {name: value for name, value in body.items() if name not in _STREAMING}


def as_json(body: Mapping[str, object]) -> bytes:
    """The bytes of a body, as the clients write them."""
    try:
        return _WRITER.encode(body).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only its escape can carry
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
