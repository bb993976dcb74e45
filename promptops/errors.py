"""Every error that promptops raises on purpose, so that one `except PromptOpsError` catches them
all.

PromptOpsError
├── VersionError (ValueError)            what a version may not hold
│   ├── TemplateError                    something between double braces that is not a variable
│   └── RenderError                      a missing, extra or mistyped value
├── RegistryError
│   ├── RegistryNotFound (FileNotFoundError)   no registry file where it was looked for
│   ├── RegistryCorrupt (ValueError)           not a registry, or edited by hand
│   ├── UnknownPrompt (KeyError)
│   ├── NotDeployed (KeyError)                 the environment serves nothing
│   ├── Conflict                               somebody else changed the environment first
│   └── Refused                                the gate refused; carries every unmet point
├── DatasetError (ValueError)            a file, row or column that cannot be read as examples
├── ModelError
│   ├── SetupError (ValueError)          a missing key, model or extra: raised before anything runs
│   └── CallError                        one call failed; carries its failure class
├── ScorerError (ValueError)             a scorer that was built wrongly
├── StudyError (ValueError)              a study that cannot be run or found
│   └── NothingToCompare                 a study of one version
├── StoreError (OSError)                 a store that cannot be read, or is newer than this release
├── StatisticsError (ValueError)         numbers that no test can take: NaN, unequal lengths
└── MissingExtra (ImportError)           a door that needs the [lab] extra

Each also subclasses the builtin beside it, so that code which never heard of promptops handles it
well.
"""

from __future__ import annotations

import copyreg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CallError",
    "Conflict",
    "DatasetError",
    "MissingExtra",
    "ModelError",
    "NotDeployed",
    "NothingToCompare",
    "PromptOpsError",
    "Refused",
    "RegistryCorrupt",
    "RegistryError",
    "RegistryNotFound",
    "RenderError",
    "ScorerError",
    "SetupError",
    "StatisticsError",
    "StoreError",
    "StudyError",
    "TemplateError",
    "UnknownPrompt",
    "VersionError",
]


_MOST = 10_000  # characters of a message that are shown


class PromptOpsError(Exception):
    """The base class of all errors. Its message is one sentence: the thing, the fault, what was
    expected, the next step.
    """

    def __reduce__(
        self,
    ) -> tuple[object, ...]:  # made again from its state: some errors take more than their text
        made = copyreg.__newobj__  # type: ignore[attr-defined]
        return made, (type(self), *self.args), self.__dict__

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return _line(str(self.args[0]) if self.args else "")


def _line(text: str) -> str:
    if len(text) > _MOST:  # it quotes a text of somebody's, as long as it was
        text = f"{text[: _MOST - 2_000]} … {text[-2_000:]}"
    # nor does the name of a file or of a column begin a line
    return text if text.isprintable() else " ".join(text.splitlines())


class VersionError(PromptOpsError, ValueError):
    """A version's content breaks a rule (a role, a setting, a number that JSON does not allow)."""


class TemplateError(VersionError):
    """The text between double braces is not a variable name."""


class RenderError(VersionError):
    """A value is missing, unexpected or not of the variable's type."""


class RegistryError(PromptOpsError):
    """The base class of all errors about the registry file."""


class RegistryNotFound(RegistryError, FileNotFoundError):
    """No registry file was found; the message lists where it was searched for."""


class RegistryCorrupt(RegistryError, ValueError):
    """The file, or one entry in it, does not match its digests."""


class UnknownPrompt(RegistryError, KeyError):
    """The registry has no prompt with that name."""


class NotDeployed(RegistryError, KeyError):
    """The environment serves no version of this prompt."""


class Conflict(RegistryError):
    """The environment changed since it was read; the message names who changed it and when."""


class Refused(RegistryError):
    """The gate refused a promotion; `reasons` lists every unmet point, one sentence each."""

    def __init__(self, message: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)

    def __str__(self) -> str:
        """The message; where it ends with the list of the reasons, each is a line."""
        text = str(self.args[0]) if self.args else ""
        listed = "".join(f"\n- {reason}" for reason in self.reasons)
        if not listed or not text.endswith(listed):
            return super().__str__()
        lines = [text.removesuffix(listed), *(f"- {reason}" for reason in self.reasons)]
        return "\n".join(map(_line, lines))


class DatasetError(PromptOpsError, ValueError):
    """A dataset cannot be read; names file, line or column, and the fault."""


class ModelError(PromptOpsError):
    """Anything about the models that answer."""


class SetupError(ModelError, ValueError):
    """A study or call cannot start: no key, an unknown model, a missing extra."""


class CallError(ModelError):
    """One attempt failed.

    failure: a class of `FAILURES`; code: the provider's own code or HTTP status, as
        text;
    retry_after_s: what the server asked for, in seconds, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        failure: str,
        code: str | None = None,
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.code = code
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class ScorerError(PromptOpsError, ValueError):
    """A scorer was built with arguments that can never work."""


class StudyError(PromptOpsError, ValueError):
    """A study cannot be planned, run, found or compared."""


class NothingToCompare(StudyError):
    """There is one version, which is compared with no other."""


class StoreError(PromptOpsError, OSError):
    """The store cannot be read or written, or was written by a newer release."""


class StatisticsError(PromptOpsError, ValueError):
    """Numbers that no test can take: NaN, unequal lengths, nothing at all."""


class MissingExtra(PromptOpsError, ImportError):
    """The feature needs packages that a base install does not include."""

    def __init__(self, what: str, extra: str = "lab") -> None:
        super().__init__(
            f"{what} needs the {extra} extra, which is not installed: run `pip install"
            f" 'promptops-toolkit[{extra}]'`."
        )
