"""A prompt of MLflow's registry by its address, `prompts:/NAME/VERSION` or `prompts:/NAME@ALIAS`.

It is loaded by MLflow's own client from where MLFLOW_TRACKING_URI says.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ..errors import DatasetError, MissingExtra, TemplateError, VersionError
from ..markup import shorten
from ..version import PromptVersion
from .chat_text import settings_of
from .foreign_template import from_jinja
from .imported import Imported, ImportedVersion
from .scored import FileImport

__all__ = ["is_address", "read_prompt"]

_SCHEME = "prompts:/"


def is_address(text: str) -> bool:
    """Whether a text names a prompt of MLflow's registry."""
    return text.startswith(_SCHEME)


def read_prompt(address: str) -> Imported:
    """One version; its aliases are the environments that it served there, marked as imported.

    Args:
        address: `prompts:/NAME/VERSION` or `prompts:/NAME@ALIAS`.

    Raises:
        MissingExtra: MLflow's client is not installed.
        DatasetError: the registry has no such prompt, or does not answer.
    """
    try:
        registry = import_module("mlflow.genai")
    except ImportError:
        raise MissingExtra(f"reading {address}", "mlflow") from None
    try:
        found = registry.load_prompt(address)
    except Exception as error:  # MLflow's own errors, and those of its transport
        raise DatasetError(
            f"{address} could not be loaded ({shorten(error, 160)}); check the address and"
            " MLFLOW_TRACKING_URI."
        ) from None
    return _read(found, address)


def _read(found: Any, address: str) -> Imported:
    name, label = str(found.name), f"v{found.version}"
    gathered = FileImport(address)
    config = {
        key: value
        for key, value in _mapping(getattr(found, "model_config", None)).items()
        if value is not None
    }
    model = config.pop("model_name", None)
    settings, dropped = settings_of(config)
    for key in dropped:
        gathered.leave(f"model_config {key!r}", "it says how a provider is reached", "Lab(models=)")
    try:
        version = PromptVersion(
            _messages(found.template),
            model=model if isinstance(model, str) else None,
            settings=settings,
            response_format=_response_format(name, getattr(found, "response_format", None)),
        )
    except (TemplateError, VersionError) as error:
        gathered.leave(
            f"{label} of {name!r}", str(error).rstrip("."), "fix it there, and import that"
        )
        return Imported("MLflow prompt", name, left=tuple(gathered.left))
    aliases = tuple(str(alias) for alias in getattr(found, "aliases", None) or ())
    note = str(getattr(found, "commit_message", None) or "")
    versions = (ImportedVersion(name, label, version, aliases, note),)
    return Imported("MLflow prompt", name, versions, left=tuple(gathered.left))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _messages(template: object) -> Any:
    if isinstance(template, str):
        return from_jinja(template)
    if not isinstance(template, list):
        raise VersionError(f"its template is a {type(template).__name__}, not text or messages.")
    return [{"role": one["role"], "content": from_jinja(one["content"])} for one in template]


def _response_format(name: str, schema: object) -> dict[str, Any] | None:
    """MLflow keeps the JSON Schema alone; a request names it."""
    if not isinstance(schema, Mapping) or not schema:
        return None
    named = name.replace(".", "_").replace("/", "_")[:64]
    return {"type": "json_schema", "json_schema": {"name": named, "schema": dict(schema)}}
