"""The tokens of an answer, however an endpoint counts its reasoning."""

from __future__ import annotations

__all__ = ["answer_tokens"]


def answer_tokens(
    out: int | None,
    reasoning: int | None,
    given: int | None,
    total: int | None,
    cached: int | None = None,
) -> int | None:
    """All tokens that a model wrote, which are billed as one.

    Most endpoints count reasoning among them. xAI counts it beside them, and Gemini's OpenAI form
    names it nowhere but in the total. cached: of the request; where it is more than was given, the
    total holds it too, and says nothing of the answer.
    """
    if out is None or (cached or 0) > (given or 0):
        return out
    if given is None or total is None:
        return out + reasoning if reasoning is not None and reasoning > out else out
    beside = total - given - out
    if beside > 0 and (not reasoning or beside == reasoning or reasoning > out):
        return out + (reasoning or beside)
    return out
