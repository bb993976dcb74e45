"""A version with other message texts, everything else as it was: what an editor makes of it."""

from __future__ import annotations

from .version import PromptVersion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["editable", "with_texts"]


def editable(version: PromptVersion) -> list[tuple[str, str]]:
    """(role, text) of the messages that are text, in order."""
    return [
        (str(message["role"]), content)
        for message in version.template
        if isinstance(content := message.get("content"), str)
    ]


def with_texts(version: PromptVersion, texts: Sequence[str]) -> PromptVersion:
    """The version with these texts in the place of those of `editable`; types of variables that
    stay are kept.

    Raises:
        VersionError, TemplateError: the texts make no version.
    """
    rest = iter(texts)
    messages = [
        {**message, "content": next(rest)} if isinstance(message.get("content"), str) else message
        for message in version.template
    ]
    if messages == version.template:
        return version
    kept = {variable.name: variable for variable in version.variables}
    fresh = PromptVersion(messages, model=version.model, settings=version.settings, api=version.api)
    types = {
        variable.name: kept[variable.name].content()
        for variable in fresh.variables
        if variable.name in kept
    }
    return PromptVersion(
        messages,
        model=version.model,
        settings=version.settings,
        variables=types or None,
        tools=version.tools or None,
        response_format=version.response_format,
        api=version.api,
    )
