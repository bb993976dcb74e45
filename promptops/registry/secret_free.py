"""The registry is committed and shared: no secret may enter it through what people write.

A prompt that holds one is refused, since cleaned text would be another prompt; notes and reasons
are cleaned, with a warning, those in a monitor's file too.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from ..canonical import canonical
from ..errors import RegistryError, VersionError
from ..policy import Policy
from ..redact import Redactor
from ..version import PromptVersion

if TYPE_CHECKING:
    from .document import Document

__all__ = ["checked_content", "checked_new_name", "cleaned", "cleaned_policy"]

_MOST = 20_000  # characters of a note or reason


def checked_new_name(name: str, there: Document, redactor: Redactor) -> None:
    """Raise RegistryError for the name of a new prompt that looks like a key or holds one: no row
    would have it, and live calls and studies would be found under no name.
    """
    clean = redactor(name)
    if clean != name and name not in there["prompts"]:
        raise RegistryError(
            "the prompt's name looks like a key, or holds one: runs and live calls would be"
            f" recorded as those of {clean!r}; take another name, such as support-triage."
        )


def checked_content(name: str, version: PromptVersion, redactor: Redactor) -> None:
    """Refuse a version whose content holds a secret.

    Raises:
        VersionError: its messages, settings or tools hold the value of a secret variable of the
            environment, or a text in the shape of a key.
    """
    content = canonical(version.document())
    clean = redactor(content)
    if clean == content:
        return
    # what is before the secret says where it is, without showing it
    at = next(i for i, (a, b) in enumerate(zip(content, clean, strict=False)) if a != b)
    before = content[max(0, at - 30) : at].rpartition("\\n")[2]
    raise VersionError(
        f"{name} is not saved: after {before!r} its content holds a secret, which would be "
        "committed with the registry; replace it by a variable, and pass the value at rendering."
    )


def cleaned(text: str, what: str, redactor: Redactor) -> str:
    """The text without secrets; warns if there was one, naming `what` it is. Where warnings are
    errors the log has it, since a rollback is not to wait for a better reason.

    Raises:
        RegistryError: it is too long for a file that every application reads.
    """
    if len(text) > _MOST:
        raise RegistryError(
            f"the {what} has {len(text):,} characters, more than the limit of {_MOST:,};"
            " shorten it, and link to the rest."
        )
    clean = redactor(text)
    if clean != text:
        warning = (
            f"a secret in the {what} was replaced by [redacted] before it was written: the "
            "file is committed."
        )
        try:
            warnings.warn(warning, stacklevel=4)
        except Warning:
            import logging

            logging.getLogger("promptops.registry").warning(warning)
    return clean


def cleaned_policy(policy: Policy, redactor: Redactor) -> Policy:
    """The policy, its reasons without secrets."""
    return replace(
        policy,
        accept_constant=cleaned(policy.accept_constant, "reason of a policy", redactor),
        accept_slices=tuple(
            (name, cleaned(reason, "reason of a policy", redactor))
            for name, reason in policy.accept_slices
        ),
    )
