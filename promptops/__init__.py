"""promptops: prompts as source code. This door is the application's: load a prompt by name,
standard library only.

    import promptops
    prompt = promptops.load("support-triage", env="prod")
    client.chat.completions.create(**prompt.request(ticket=text))

Whoever tries versions in a notebook enters by `from promptops.lab import Lab`.
"""

from .errors import (
    Conflict,
    MissingExtra,
    NotDeployed,
    PromptOpsError,
    Refused,
    RegistryCorrupt,
    RegistryError,
    RegistryNotFound,
    RenderError,
    TemplateError,
    UnknownPrompt,
    VersionError,
)
from .registry.candidate import use
from .registry.loader import Loader, load
from .version import PromptVersion

__all__ = [
    "Conflict",
    "Loader",
    "MissingExtra",
    "NotDeployed",
    "PromptOpsError",
    "PromptVersion",
    "Refused",
    "RegistryCorrupt",
    "RegistryError",
    "RegistryNotFound",
    "RenderError",
    "TemplateError",
    "UnknownPrompt",
    "VersionError",
    "load",
    "use",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in ("Lab", "Dataset"):
        raise AttributeError(
            f"promptops.{name} is behind the other door: `from promptops.lab import {name}`, "
            "which needs `pip install 'promptops-toolkit[lab]'`."
        )
    raise AttributeError(f"module 'promptops' has no attribute {name!r}")
