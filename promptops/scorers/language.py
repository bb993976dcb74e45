"""The language of a text, by the package py3langid: the same answer on any machine, offline, with
the model that it carries.

Answers of a few words give no language rather than a wrong one.
"""

from __future__ import annotations

import functools
from typing import Any

from ..errors import MissingExtra

__all__ = ["language_of", "languages"]

_READ = 20_000  # characters; more of a text says nothing new of its language
_SURE = 0.3  # probability from which a language is named; right sentences are far above
_ALIASES = {"nn": "no"}  # one language to whoever asks for it


def languages() -> tuple[str, ...]:
    """The ISO 639-1 codes that `language_of` gives."""
    return tuple(sorted(set(_identifier().nb_classes) - set(_ALIASES)))


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of the language that most of the text is in; "" if it is not sure; None
    without any letter.
    """
    head = text[:_READ]
    if not any(letter.isalpha() for letter in head):
        return None
    code, probability = _identifier().classify(head.lower())
    return _ALIASES.get(code, code) if probability >= _SURE else ""


@functools.cache
def _identifier() -> Any:
    """The package's model, read once, for languages with a code of two letters."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise MissingExtra("the language of a text", "text") from None
    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages([label for label in found.labels if len(label) == 2])
    return found
