"""The tags of a comparison's examples as places beside a bundle's examples, and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

__all__ = ["read_tags", "written_tags"]


def written_tags(
    tags: Mapping[str, Sequence[str]], examples: Sequence[str], least: int, named: Collection[str]
) -> dict[str, tuple[int, ...]]:
    """Tag -> places of its examples, of the tags that a verdict may rest on.

    Args:
        tags: example id -> its tags.
        examples: the ids, in the order of the bundle.
        least: how many examples a tag needs.
        named: tags that a policy names, which are kept whatever their size.
    """
    found: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        for tag in dict.fromkeys(tags.get(example, ())):
            found.setdefault(tag, []).append(place)
    return {
        tag: tuple(places)
        for tag, places in sorted(found.items())
        if len(places) >= least or tag in named
    }


def read_tags(
    tags: Mapping[str, Sequence[int]], examples: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Example id -> its tags, of what `written_tags` gave."""
    found: dict[str, list[str]] = {}
    for tag, places in tags.items():
        for place in places:
            found.setdefault(examples[place], []).append(tag)
    return {example: tuple(names) for example, names in found.items()}
