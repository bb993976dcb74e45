"""A model that is known by its name alone: recorded answers are found by it, and nothing is sent.

A run offline needs no key, which a pull request from a fork does not have.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import SetupError
from .protocol import Call, Model, Reply, SpeaksForms

__all__ = ["UnaskedModel"]

_ANY_FORM = frozenset({"chat", "responses", "anthropic", "gemini"})


class UnaskedModel:
    """Replaces another model, under its label, without its key."""

    def __init__(self, model: Model) -> None:
        self._label, self._remote = model.label, model.remote
        self._apis = model.apis if isinstance(model, SpeaksForms) else _ANY_FORM

    @property
    def label(self) -> str:
        return self._label

    @property
    def remote(self) -> bool:
        return self._remote

    @property
    def apis(self) -> frozenset[str]:
        """The request forms that the other model takes."""
        return self._apis

    def check(self, request: Mapping[str, object]) -> None:
        """Raises SetupError: it is about to be asked."""
        raise SetupError(
            f"an answer of {self._label} is not recorded, and offline nothing is asked; run it"
            " where the model's key is set."
        )

    async def complete(self, call: Call) -> Reply:
        """Raises SetupError."""
        self.check(call.chat)
        raise AssertionError("check always raises")

    async def aclose(self) -> None:
        """It holds nothing open."""
