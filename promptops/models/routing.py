"""What a client's own headers and query choose beside its address: the route of a gateway, so that
the answers of one route are not taken for those of another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from ..redact import named_like_a_secret

__all__ = ["routing_of"]

# Who asks, when and for which trace: the same question has the same answer whatever they say.
_TOLD = re.compile(
    r"stainless|^accept|^content-|user|agent|team|tenant|customer|organization|project|billing|"
    r"cost|referer|title|session|request|trace|span|correlation|baggage|cookie|idempotency|date|"
    r"time|tags?$|metadata|"
    r"^anthropic-version$|^api-version$",
    re.IGNORECASE,
)
_ROUTE_KEY = re.compile(r"virtual-?key$")  # a gateway's name for a provider and its key
_OF_ONE_PROCESS = re.compile(  # an id that is drawn, or a moment
    r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}|[0-9a-f]{16,}|\d{9,}(\.\d+)?|\d{4}-\d\d-\d\dT.*",
    re.IGNORECASE,
)


def routing_of(client: object, custom: str = "") -> str:
    """`name digest` of each header and query parameter of the client that may choose what answers,
    by name and with commas between; "" for none. Secrets, but for the keys of routes, and what only
    says who asks or when, are not part of it.

    Args:
        client: an openai or anthropic client; None, or one without defaults, has no routing.
        custom: what the environment adds for a client that is made here, a `name: value` a line.
    """
    lines = (line.partition(":") for line in custom.splitlines())
    found: dict[str, object] = {name.strip().lower(): value.strip() for name, _, value in lines}
    for source in ("default_headers", "default_query"):
        given = getattr(client, source, None)
        if isinstance(given, Mapping):
            found.update({str(name).lower(): given[name] for name in given})
    return ", ".join(
        f"{name} {_digest(value)}"
        for name, value in sorted(found.items())
        if isinstance(value, str | int | float) and _chooses(name, str(value))
    )


def _chooses(name: str, value: str) -> bool:
    if _ROUTE_KEY.search(name):
        return True
    told = _TOLD.search(name) or named_like_a_secret(name)
    return not told and _OF_ONE_PROCESS.fullmatch(value) is None


def _digest(value: str | float) -> str:
    """Eight hex digits instead of the value, which may be a key under any name."""
    return sha256(str(value).encode()).hexdigest()[:8]
