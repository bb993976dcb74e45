"""The settings and tools of a version: how the model is asked, never where, and never with which
key.
"""

from __future__ import annotations

from ..canonical import json_copy
from ..errors import VersionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["check_numbers", "checked_map", "checked_settings", "checked_tools"]

_NUMBERS = {  # of chat completions: what each takes beside null
    **dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), "number"),
    **dict.fromkeys(
        ("max_tokens", "max_completion_tokens", "seed", "top_logprobs"), "whole number"
    ),
}

_FORBIDDEN_SETTINGS = {
    **dict.fromkeys(("model", "messages", "tools", "response_format"), "is an argument of its own"),
    **dict.fromkeys(("stream", "stream_options"), "is how a call is sent, not what is asked"),
    "n": "is not allowed: use repeats= when evaluating",
}
# of a setting's name, in lower case without signs: base_url, baseURL and base-url are one
_SECRET_WORDS = (
    *(
        "baseurl",
        "apibase",
        "apikey",
        "headers",
        "endpoint",
        "secret",
        "password",
        "passwd",
        "authorization",
        "bearer",
    ),
    *("httpclient", "proxy", "credential", "accesstoken", "authtoken", "privatekey", "cookie"),
)


def checked_map(value: Any, what: str) -> Mapping[str, Any]:
    """The map itself, empty for None. Raises VersionError for anything else."""
    if value is not None and not hasattr(value, "keys"):
        raise VersionError(
            f"{what} is a {type(value).__name__}; expected a map from names to values, or None."
        )
    return value or {}


def checked_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, copied.

    Raises VersionError for what is an argument of its own, an endpoint or a secret.
    """
    for name in settings:
        if name in _FORBIDDEN_SETTINGS:
            raise VersionError(
                f"setting {name!r} {_FORBIDDEN_SETTINGS[name]}; leave it out of the settings."
            )
    checked: dict[str, Any] = json_copy(settings, "settings")
    _refuse_secrets(checked, "setting")
    return checked


def check_numbers(settings: Mapping[str, Any]) -> None:
    """Raises VersionError where a setting that every chat endpoint reads as a number is something
    else. Unknown ones are the endpoint's.

    Asked when a version is saved, not when it is read: a registry that holds one must still load.
    """
    for name, value in settings.items():
        kind = _NUMBERS.get(name)
        if kind is None or value is None:
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or (kind == "whole number" and value != int(value)):
            example = "0.2" if kind == "number" else "200"
            raise VersionError(
                f"setting {name!r} is {value!r}; expected a {kind}, as in {name}={example}."
            )


def checked_tools(tools: Any) -> list[dict[str, Any]]:
    """The tools, copied.

    Raises VersionError for a tool that carries an endpoint's key or headers.
    """
    if not isinstance(tools, (list, tuple)):
        raise VersionError(f"tools is a {type(tools).__name__}; expected a list of tools.")
    checked: list[dict[str, Any]] = json_copy(tools, "tools")
    for index, tool in enumerate(checked):
        if not isinstance(tool, dict):
            raise VersionError(
                f'tool {index} is a {type(tool).__name__}; expected {{"type": "function",'
                ' "function": ...}.'
            )
        for name in tool:
            _refuse_secret(name, f"tool {index}: the field", name)
    return checked


def _refuse_secrets(value: Any, what: str, path: str = "", depth: int = 0) -> None:
    """Look through settings for the name of an endpoint or a secret.

    Deep down, where schemas live, only beside a text.
    """
    if isinstance(value, list):
        for item in value:
            _refuse_secrets(item, what, path, depth + 1)
    if isinstance(value, dict):
        for name, item in value.items():
            here = f"{path}.{name}" if path else name
            if depth < 2 or isinstance(item, str):
                _refuse_secret(name, what, here)
            _refuse_secrets(item, what, here, depth + 1)


def _refuse_secret(name: str, what: str, shown: str) -> None:
    bare = "".join(filter(str.isalnum, name.lower()))
    if any(word in bare for word in _SECRET_WORDS):
        raise VersionError(
            f"{what} {shown!r} names an endpoint or a secret, which no version may carry; give it"
            " to Lab(models=...)."
        )
