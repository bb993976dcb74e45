"""What a registry asks of its readers: which loader a version needs, and which version its model's
provider refuses in the form that it has.
"""

from __future__ import annotations

from ..version.tools_in_chat import refused_in_chat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .document import Document

__all__ = ["form_notes"]


def form_notes(document: Document) -> Iterator[str]:
    """One sentence per prompt and form, of prompts that are sound enough to be read."""
    for name, prompt in document["prompts"].items():
        versions = prompt.get("versions") if isinstance(prompt, dict) else None
        forms: dict[tuple[str, str], list[str]] = {}
        for entry in versions if isinstance(versions, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("number"), int):
                key = _note(entry)
                if key is not None:
                    forms.setdefault(key, []).append(f"v{entry['number']}")
        for (form, model), labels in sorted(forms.items()):
            yield _of_form(name, labels, form) if form else _refused(name, labels, model)


def _note(entry: dict[str, Any]) -> tuple[str, str] | None:
    """(form, "") of a version that names its form, ("", model) of one that is refused."""
    form, settings = entry.get("api"), entry.get("settings")
    if isinstance(form, str):
        return form, ""
    settings = settings if isinstance(settings, dict) else {}
    if form is None and refused_in_chat(entry.get("model"), entry.get("tools"), settings):
        return "", str(entry["model"])
    return None


def _of_form(name: str, labels: list[str], form: str) -> str:
    one = len(labels) == 1
    return (
        f"{name} {', '.join(labels)} {'is' if one else 'are'} of the form {form!r}:"
        f" {'it needs' if one else 'they need'} a loader of promptops-toolkit 0.2 or later; one of"
        f" 0.1 refuses {'it' if one else 'them'} and serves the other versions."
    )


def _refused(name: str, labels: list[str], model: str) -> str:
    return (
        f"{name} {', '.join(labels)}: OpenAI takes tools with the reasoning of {model} through"
        ' Responses only; save it as version.but(api="responses").'
    )
