"""The forms that one version can be sent in, each a pure function of the chat-completions
arguments: the same bytes in Python and TypeScript, proved by shared cases.

A version names its form in `api`; where it names none, it is chat completions.
"""

from __future__ import annotations

from ..errors import VersionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

__all__ = ["APIS", "checked_api", "to_form"]

APIS = ("chat", "responses", "anthropic", "gemini")


def checked_api(api: object) -> str:
    """The form's name, "chat" for None. Raises VersionError for any other."""
    if api is None:
        return "chat"
    if not isinstance(api, str) or api not in APIS:
        raise VersionError(f"api is {api!r}; the forms are {', '.join(APIS)}.")
    return api


def to_form(api: str, body: dict[str, object]) -> dict[str, object]:
    """The request in the form `api`, of chat-completions arguments.

    Raises RenderError, which names it, for what that form has no place for.
    """
    if api == "responses":
        from .responses_api import to_responses

        return to_responses(body)
    if api == "anthropic":
        from .anthropic_api import to_anthropic

        return to_anthropic(body)
    if api == "gemini":
        from .gemini_api import to_gemini

        return to_gemini(body)
    return body
