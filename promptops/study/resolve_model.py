"""Who answers for a model's name: what was handed to the lab, what promptops.toml declares, the
embedded model by its name, else the environment's endpoint.

Never a silent fallback: a missing key is an error before anything runs, and "embedded" answers only
if it is named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import SetupError
from ..models.protocol import Model, SpeaksForms
from ..models.target import TargetModel
from ..models.unasked import UnaskedModel
from ..redact import HoldsSecrets
from .project_file import DeclaredModel

__all__ = ["ModelResolver"]


class ModelResolver:
    """Models by the name that versions ask for.

    Values handed in: a Model, a client of openai, anthropic or google.genai, or a callable target.
    """

    def __init__(
        self,
        models: Mapping[str, object] | None = None,
        on_secret: Callable[[str], None] = lambda secret: None,
        declared: Mapping[str, DeclaredModel] | None = None,
    ) -> None:
        """on_secret: is given every secret that a model holds, before the model is asked anything;
        declared: of the project's file, each made when it is first asked for.

        Raises SetupError for what cannot answer.
        """
        self._given = _named(models)
        self._declared = {one.name: one for one in (declared or {}).values()}
        self._on_secret = on_secret
        self._made: dict[tuple[str, str], Model] = {}
        self._default: Model | None = None
        self._environment: tuple[str | None, ...] = ()  # what it was made from
        self._asks = True

    def ask_nothing(self) -> None:
        """From now on models are known by their labels alone: recorded answers are found, no key
        is needed, and a call is a SetupError.
        """
        self._asks = False
        self._made.clear()

    @property
    def given(self) -> tuple[str, ...]:
        """The names of models that were handed in, which live in this process alone."""
        return tuple(self._given)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self._given, *(name for name in self._declared if name not in self._given))

    def of(self, name: str | None, api: str = "chat") -> Model:
        """The model that answers for `name` in a request form.

        Raises SetupError if nobody can.
        """
        if name is None:
            raise SetupError(
                "this version names no model; save it with model=..., or pass models=[...] to"
                " evaluate."
            )
        found = self._found(name, api)
        check_form(found, name, api)
        return found

    def form_for(self, name: str | None, api: str = "chat") -> str:
        """The form to ask a model in: `api` where it takes that, else one that it does take.

        Raises SetupError if nobody answers for the name.
        """
        if name not in self._given and name not in self._declared:
            return api
        model = self._found(str(name), api)
        taken = model.apis if isinstance(model, SpeaksForms) else ()
        return api if not taken or api in taken else min(taken)

    def _found(self, name: str, api: str) -> Model:
        """Who answers for a name: one model whatever the form, where it was handed in or
        declared.
        """
        key = name, "" if name in self._given or name in self._declared else api
        found = self._made.get(key)
        if isinstance(found, TargetModel):
            found = self._made[key] = found.as_it_is()
        if found is None:
            found = self._make(name, api)
            if not self._asks and found.remote and not isinstance(found, TargetModel):
                found = UnaskedModel(found)
            if (
                found is not self._default
            ):  # the environment's endpoint is made again until it has its key
                self._made[key] = found
            for secret in found.secrets if isinstance(found, HoldsSecrets) else ():
                self._on_secret(secret)
        return found

    def _make(self, name: str, api: str) -> Model:
        if name in self._given:
            return as_model(self._given[name], name)
        if name in self._declared:
            return self._declared[name].made(keyless=not self._asks)
        if name == "embedded":
            from ..embedded import EmbeddedModel

            return EmbeddedModel()
        if api == "anthropic":
            from ..models.anthropic_model import AnthropicModel

            return AnthropicModel()
        if api == "gemini":
            from ..models.gemini_model import GeminiModel

            return GeminiModel()
        from ..models.endpoint import EndpointModel

        text = tuple(os.environ.get(variable) for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"))
        if self._default is None or text != self._environment:
            self._default, self._environment = EndpointModel(), text
        return self._default


def _named(models: object) -> dict[str, object]:
    """name -> what was handed in.

    Raises SetupError, before anything runs, if that is not a map or one of them can never
    answer.
    """
    if models is not None and not isinstance(models, Mapping):
        shown = f"the text {models!r}" if isinstance(models, str) else f"a {type(models).__name__}"
        raise SetupError(
            f"models is {shown}; expected a map from model names to clients, as in"
            f' models={{"gpt-4o":'
            " client}."
        )
    for name, value in (models or {}).items():
        known = isinstance(value, Model) or hasattr(value, "chat") or _library(value)
        if not (known or callable(value)):
            raise SetupError(_cannot_answer(name, value))
    return dict(models or {})


def check_form(model: Model, name: str | None, api: str) -> None:
    """Raise SetupError if a version's form is not one that its model takes."""
    if not isinstance(model, SpeaksForms) or api in model.apis:
        return
    takes = " and ".join(sorted(model.apis))
    other = sorted(model.apis)[0]
    raise SetupError(
        f"the version for {name!r} is of the form {api!r}, and {model.label} takes {takes}; save"
        f' another with version.but(api="{other}"), or pass a client of that form.'
    )


def _is_client(value: object) -> bool:
    return hasattr(value, "chat") and hasattr(value, "base_url")


def _library(value: object) -> str:
    """The provider's package that a client is of, by what it can do; "" for anything else."""
    if hasattr(value, "messages") and hasattr(value, "base_url") and hasattr(value, "post"):
        return "anthropic"
    models = getattr(value, "models", None)
    if hasattr(models, "generate_content") and hasattr(value, "aio"):
        return "gemini"
    return ""


def _cannot_answer(name: object, value: object) -> str:
    given = (
        f"the text {value!r}" if isinstance(value, str) else f"{type(value).__name__} {value!r:.40}"
    )
    return (
        f"models[{name!r}] is {given}; pass a client of openai, anthropic or google.genai, a model"
        " of promptops.models, or a callable."
    )


def as_model(value: object, name: str) -> Model:
    """A Model as it is; a provider's client as the model that asks it; a plain callable as a
    target.
    """
    if isinstance(value, Model):
        return value
    from ..embedded import EmbeddedClient, EmbeddedModel

    if isinstance(value, EmbeddedClient):
        return EmbeddedModel()
    if _is_client(value):
        from ..models.endpoint import EndpointModel

        return EndpointModel(value)
    if _library(value) == "anthropic":
        from ..models.anthropic_model import AnthropicModel

        return AnthropicModel(value)
    if _library(value) == "gemini":
        from ..models.gemini_model import GeminiModel

        return GeminiModel(value)
    if callable(value):
        return as_target(value)
    raise SetupError(_cannot_answer(name, value))


def as_target(function: Callable[..., Any] | TargetModel) -> Model:
    """The user's own callable in a model's place."""
    return function.as_it_is() if isinstance(function, TargetModel) else TargetModel(function)
