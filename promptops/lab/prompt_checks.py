"""What is checked, and warned of, when a prompt is saved."""

from __future__ import annotations

import warnings

from ..errors import VersionError
from ..store.recorder import outside
from ..version import PromptVersion
from ..version.from_request import looks_like_format
from ..version.setting import unknown_settings
from ..version.tools_in_chat import refused_in_chat

__all__ = ["check_says_something", "warn_form", "warn_format", "warn_unknown"]


def check_says_something(name: str, version: PromptVersion) -> None:
    """Raises VersionError if not one message holds a text, a part, a call or a history."""
    for message in version.template:
        content = message.get("content")
        if (
            (content.strip() if isinstance(content, str) else content)
            or message.get("tool_calls")
            or message["role"] == "history"
        ):
            return
    raise VersionError(
        f'{name} would be saved without any text; pass its text, as in save("Answer this ticket:'
        ' {{ticket}}").'
    )


def warn_unknown(version: PromptVersion) -> None:
    """Warn of a setting that no known provider has: once saved it is there to stay."""
    for name, near in unknown_settings(version.api, version.settings):
        meant = f"did you mean {near!r}?" if near else "check its spelling."
        warnings.warn(
            f"setting {name!r} is not one that a known provider of {version.api!r} requests has;"
            f" {meant}",
            stacklevel=outside(),
        )


def warn_form(version: PromptVersion) -> None:
    """Warn where the provider takes the version's tools through Responses only: a study of it
    would be refused call by call.
    """
    if version.api == "chat" and refused_in_chat(version.model, version.tools, version.settings):
        warnings.warn(
            f"OpenAI takes tools with the reasoning of {version.model} through Responses only; save"
            ' the version with api="responses".',
            stacklevel=outside(),
        )


def warn_format(version: PromptVersion) -> None:
    """Warn where a template has fields in single braces and no variables."""
    if version.variables:
        return
    for message in version.template:
        content = message.get("content")
        field = looks_like_format(content) if isinstance(content, str) else None
        if field:
            warnings.warn(
                f"{field} is sent unchanged: a variable is {{{field}}} here;"
                " PromptVersion.from_format turns an f-string prompt into a version.",
                stacklevel=outside(),
            )
            return
