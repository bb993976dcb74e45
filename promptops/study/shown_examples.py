"""Examples that a prompt shows with their answers: its answers to these are not evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..version import PromptVersion
from .near_copies import folded

if TYPE_CHECKING:
    from ..dataset import Dataset, Example

__all__ = ["shown_examples", "shown_statement"]

_LONG = 20  # characters of an input that is not found in a prompt by chance
_READ = 2_000  # characters in which that word is looked for
_LETTERS = re.compile(r"[a-z]{4,}")
_VARIABLE = re.compile(r"\{\{[^{}]*\}\}")


def shown_statement(label: str, version: PromptVersion, dataset: Dataset) -> str:
    """One sentence on the examples that a version shows; "" if there are none."""
    found = list(shown_examples(version, dataset))
    if not found:
        return ""
    ids = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
    return (
        f"The prompt of {label} shows {len(found):,} of the {len(dataset):,} examples with their"
        f" answers ({ids}): its answers to these are not evidence. Judge it on examples that it"
        " does not show."
    )


def shown_examples(version: PromptVersion, dataset: Iterable[Example]) -> Iterator[str]:
    """Ids of the examples of which the text of a version holds the inputs and the golden answer,
    typed as they may be: as a message of their own, or at some length.
    """
    texts = list(_texts(version))
    messages = [folded(_VARIABLE.sub("\n", text)) for text in texts]
    names, text = [variable.name for variable in version.variables], " ".join(messages)
    if not names or len(text) < _LONG:
        return
    examples = list(dataset)
    varying = [name for name in names if len({str(e.inputs.get(name)) for e in examples}) > 1]
    alone = set(messages)
    for example in examples:
        values = [example.inputs.get(name) for name in varying]
        if not values or not all(isinstance(value, str) and value.strip() for value in values):
            continue
        if not all(_longest_word(str(value)) in text for value in values):
            continue  # most examples, and folding them all would double a comparison's time
        inputs = [folded(str(value)) for value in values]
        whole = len(inputs) == 1 and _asked(texts[-1], str(values[0])) in alone
        long = sum(map(len, inputs)) >= _LONG and all(value in text for value in inputs)
        if (whole or long) and _answered(example, text):
            yield example.id


def _longest_word(value: str) -> str:
    """The longest run of plain letters, which folding leaves as it is."""
    words = () if "&" in value else _LETTERS.findall(value[:_READ].casefold())
    return max(words, key=len, default="")


def _asked(template: str, value: str) -> str:
    return folded(_VARIABLE.sub(lambda _: value, template))


def _answered(example: Example, text: str) -> bool:
    golden = example.expected
    values = golden if isinstance(golden, (list, tuple)) else [golden]
    return any(value is not None and folded(str(value)) in text for value in values)


def _texts(version: PromptVersion) -> Iterator[str]:
    for message in version.template:
        content = message.get("content")
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            for part in content:
                if isinstance(part, dict) and isinstance(part.get("text"), str):
                    yield part["text"]
