"""promptops: prompts as source code. This module is for applications: it loads a prompt by name
and needs only the standard library.

    import promptops
    prompt = promptops.load("support-triage", env="prod")
    client = promptops.observe(OpenAI())  # records live calls to PROMPTOPS_RECORD
    client.chat.completions.create(**prompt.request(ticket=text))

To try versions in a notebook, use `from promptops.lab import Lab`.
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
from .registry.loader import Loader
from .registry.loading import load
from .version import PromptVersion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .observe.door import observe
    from .observe.feedback import feedback
    from .observe.prompt_call import call
del TYPE_CHECKING

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
    "call",
    "feedback",
    "load",
    "observe",
    "use",
]

__version__ = "0.2.0"
_LATER = {"call": "prompt_call", "feedback": "feedback", "observe": ""}  # loaded when first used


def __getattr__(name: str) -> object:
    if name in _LATER or name == "otel":
        from importlib import import_module

        if name == "otel":
            return import_module(f"{__name__}.otel")
        module = import_module(f"{__name__}.observe.{_LATER[name]}".rstrip("."))
        globals()[name] = found = module if name == "observe" else getattr(module, name)
        return found
    if name in ("Lab", "Dataset"):
        raise AttributeError(
            f"promptops.{name} is part of the laboratory: use `from promptops.lab import {name}`, "
            "which needs `pip install 'promptops-toolkit[lab]'`."
        )
    raise AttributeError(f"module 'promptops' has no attribute {name!r}")
