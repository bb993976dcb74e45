"""Messages as other tools write them: chat JSON inside a text, provider names, model settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["chat_of", "model_of", "settings_of", "slug"]

_ROLES = ("system", "developer", "user", "assistant", "tool")
# how a provider is reached, not what is asked
_TRANSPORT = re.compile(
    r"api.?key|api.?host|base.?url|organi[sz]ation|endpoint|header|timeout|credential|secret|"
    r"token$",
    re.IGNORECASE,
)
_SAME = {"maxTokens": "max_tokens", "maxOutputTokens": "max_tokens", "topP": "top_p"}


def chat_of(text: str) -> list[dict[str, object]] | None:
    """The messages of a text that is a JSON list of {"role", "content"}; None for other texts."""
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return messages_of(value)


def messages_of(value: object) -> list[dict[str, object]] | None:
    """A list of {"role", "content"} as messages; None for anything else."""
    if not isinstance(value, list) or not value:
        return None
    for item in value:
        if not isinstance(item, Mapping) or item.get("role") not in _ROLES:
            return None
        if "content" not in item:
            return None
    return [dict(item) for item in value]


def model_of(provider: str) -> str:
    """The model of a provider's id: `openai:chat:gpt-4.1` is gpt-4.1, `openai/gpt-4o` gpt-4o."""
    parts = provider.split(":")
    if len(parts) > 1 and parts[0] not in ("http", "https", "exec", "python", "file", "webhook"):
        return parts[-1] if len(parts) < 4 else ":".join(parts[2:])
    return provider


def settings_of(config: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """(settings of a request, what is about reaching the provider and was left out)."""
    kept: dict[str, Any] = {}
    dropped: dict[str, object] = {}
    for name, value in config.items():
        target = dropped if _TRANSPORT.search(name) and name not in _SAME else kept
        target[_SAME.get(name, name)] = value
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if name in dropped:
            kept[name] = dropped.pop(name)
    return kept, dropped


def slug(text: str, default: str) -> str:
    """A prompt's name from a text: letters, digits and dashes, at most 60."""
    found = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()[:60].strip("-")
    return found or default
