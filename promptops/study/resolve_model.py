"""Who answers for a model's name: what was handed to the lab, the embedded model by its name, else
the environment's endpoint.

Never a silent fallback: a missing key is an error before anything runs, and "embedded" answers only
where it is named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import SetupError
from ..models.protocol import Model
from ..models.target import TargetModel
from ..redact import HoldsSecrets

__all__ = ["ModelResolver"]


class ModelResolver:
    """Models by the name that versions ask for.

    Values handed in: a Model, an openai client, or a callable target.
    """

    def __init__(
        self,
        models: Mapping[str, Any] | None = None,
        told: Callable[[str], None] = lambda secret: None,
    ) -> None:
        """told: is given every secret that a model holds, before the model is asked anything.

        Raises SetupError for what cannot answer.
        """
        self._given = _named(models)
        self._told = told
        self._made: dict[str, Model] = {}
        self._default: Model | None = None
        self._environment: tuple[str | None, ...] = ()  # what it was made from

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._given)

    def of(self, name: str | None) -> Model:
        """The model that answers for `name`. Raises SetupError where nobody can."""
        if name is None:
            raise SetupError(
                "this version names no model; save it with model=..., or pass models=[...] to"
                " evaluate."
            )
        if name not in self._made:
            made = self._make(name)
            if (
                made is not self._default
            ):  # the environment's endpoint is made anew until it has its key
                self._made[name] = made
            for secret in made.secrets if isinstance(made, HoldsSecrets) else ():
                self._told(secret)
            return made
        return self._made[name]

    def _make(self, name: str) -> Model:
        if name in self._given:
            return as_model(self._given[name], name)
        if name == "embedded":
            from ..embedded import EmbeddedModel

            return EmbeddedModel()
        from ..models.endpoint import EndpointModel

        said = tuple(os.environ.get(variable) for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"))
        if self._default is None or said != self._environment:
            self._default, self._environment = EndpointModel(), said
        return self._default


def _named(models: Any) -> dict[str, Any]:
    """name -> what was handed in.

    Raises SetupError, before anything runs, where that is no map or one of them can never answer.
    """
    if models is not None and not isinstance(models, Mapping):
        shown = f"the text {models!r}" if isinstance(models, str) else f"a {type(models).__name__}"
        raise SetupError(
            f'models is {shown}; expected a map from names to who answers, as in models={{"gpt-4o":'
            " client}."
        )
    for name, value in (models or {}).items():
        if not (isinstance(value, Model) or hasattr(value, "chat") or callable(value)):
            raise SetupError(_cannot_answer(name, value))
    return dict(models or {})


def _is_client(value: Any) -> bool:
    return hasattr(value, "chat") and hasattr(value, "base_url")


def _cannot_answer(name: Any, value: Any) -> str:
    given = (
        f"the text {value!r}" if isinstance(value, str) else f"{type(value).__name__} {value!r:.40}"
    )
    return (
        f"models[{name!r}] is {given}; pass an openai client, a model of promptops.models, or a"
        " callable."
    )


def as_model(value: Any, name: str) -> Model:
    """A Model as it is; an openai client as an endpoint; a plain callable as a target."""
    if isinstance(value, Model):
        return value
    from ..embedded import EmbeddedClient, EmbeddedModel

    if isinstance(value, EmbeddedClient):
        return EmbeddedModel()
    if _is_client(value):
        from ..models.endpoint import EndpointModel

        return EndpointModel(value)
    if callable(value):
        return as_target(value)
    raise SetupError(_cannot_answer(name, value))


def as_target(function: Callable[..., Any] | TargetModel) -> Model:
    """The user's own callable in a model's place."""
    return function if isinstance(function, TargetModel) else TargetModel(function)
