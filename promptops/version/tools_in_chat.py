"""Which models take tools with reasoning through the Responses form alone, as their provider says.

OpenAI refuses function tools in a chat completion of gpt-5.4 and later where `reasoning_effort` is
set, and from gpt-5.6 on also when it is left out, since these models reason by default.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["refused_in_chat"]

_NAME = re.compile(r"gpt-([0-9]{1,3})(?:\.([0-9]{1,3}))?(?![0-9.])", re.ASCII)
_WHERE_ASKED = (5, 4)  # refused where an effort is set
_BY_DEFAULT = (5, 6)  # refused unless the effort is "none"


def refused_in_chat(model: str | None, tools: object, settings: Mapping[str, object]) -> bool:
    """Whether OpenAI refuses this as a chat completion: tools, with a model that reasons.

    A name with a vendor's prefix ("openai/gpt-6") goes to a router, which may translate.
    """
    found = _NAME.match(model) if tools and isinstance(model, str) else None
    if found is None:
        return False
    version = int(found[1]), int(found[2] or 0)
    effort = settings.get("reasoning_effort")
    if effort == "none":
        return False
    return version >= (_WHERE_ASKED if effort is not None else _BY_DEFAULT)
