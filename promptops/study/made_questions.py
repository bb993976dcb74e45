"""Questions that were made to work out their keys, kept until they are asked."""

from __future__ import annotations

from typing import Any

from ..engine.question import Question

__all__ = ["MadeQuestions"]

# Of all of them, so that a large study takes no more memory: characters, where a question counts
# as some thousand beside its texts.
_ROOM = 12_000_000
_OWN = 2_000


class MadeQuestions:
    """Holds the first questions of a study, as far as there is room; the others are made again."""

    def __init__(self) -> None:
        self._kept: dict[str, Question] = {}
        self._room = _ROOM

    def keep(self, question: Question) -> None:
        """Keep a question of plain text."""
        messages: Any = question.call.chat.get("messages", ())
        texts = [message.get("content") for message in messages]
        if self._room > 0 and texts and all(isinstance(text, str) for text in texts):
            self._room -= _OWN + sum(map(len, texts)) + len(question.messages or "")
            self._kept[question.key] = question

    def take(self, key: str) -> Question | None:
        """The question with this key, which is not kept any longer; None if it was not kept."""
        return self._kept.pop(key, None)
