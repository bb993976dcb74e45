"""Files beside the registry with any content at all: read as what they are, or RegistryCorrupt that
names the file.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.analysis.recompute import recompute
from promptops.canonical import canonical, digest
from promptops.errors import PromptOpsError, RegistryCorrupt
from promptops.evidence import FOLDER, Evidence
from promptops.registry import needs
from promptops.registry.changes import _evidence as evidence_line
from promptops.registry.editor import Editor
from promptops.version import PromptVersion

GOLDEN = Path(__file__).parent.parent / "golden" / "format1" / FOLDER
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**53 - 1, 1e308, 0.5, "", "x", "​", [], [None], [[]], [1, "x"], {},
    {"": 0}, {"candidate": 5}, {"candidate": [], "baseline": None}, {"required": 7},
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document."""
    yield at
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*at, key))


def damaged(document: Any, rng: random.Random) -> Any:
    """The document with one value replaced by an odd one, or taken out."""
    document = copy.deepcopy(document)
    by_depth: dict[int, list[tuple[Any, ...]]] = {}
    for path in places(document):
        by_depth.setdefault(min(len(path), 4), []).append(path)
    path = rng.choice(by_depth[rng.choice(sorted(by_depth))])
    if not path:
        return rng.choice(ODD)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if rng.random() < 0.25:
        del holder[path[-1]]
    else:
        holder[path[-1]] = rng.choice(ODD)
    return document


def cite(registry: Path, document: Any) -> str:
    """Put a document of evidence beside the registry under its true digest."""
    cited = digest(document)
    folder = registry.parent / FOLDER
    folder.mkdir(exist_ok=True)
    (folder / f"{cited[:32]}.json").write_text(canonical(document), encoding="utf-8")
    return cited


def test_evidence_of_any_content_is_read_or_corrupt_by_name(tmp_path: Path) -> None:
    """200 documents whose digest is right and whose content is odd in one place: each is read, and
    every third that reads computed again, or an error of ours names its file; `registry diff`
    shows it either way.
    """
    registry, rng = tmp_path / "promptops.json", random.Random(16)
    sound = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(GOLDEN.iterdir())]
    refused = read = 0
    for turn in range(200):
        cited = cite(registry, damaged(sound[turn % len(sound)], rng))
        try:
            evidence = Evidence.read(registry, cited)
            read += 1
            if read % 3 == 0:
                recompute(evidence)
        except RegistryCorrupt as error:
            assert f"{cited[:32]}.json" in str(error)
            refused += 1
        except PromptOpsError:
            refused += 1
        assert evidence_line(registry, cited)
    assert refused > 100


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5_000, '"\\ud800"', "NaN", "\xff", ""])
def test_evidence_that_is_not_json_of_ours_is_corrupt(tmp_path: Path, text: str) -> None:
    """Depth, surrogates and bytes that no bundle holds are named with the file."""
    (tmp_path / FOLDER).mkdir()
    path = tmp_path / FOLDER / f"{'a' * 32}.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(RegistryCorrupt, match="a" * 32):
        Evidence.read(tmp_path / "promptops.json", "a" * 64)


def test_a_folder_in_the_place_of_evidence_is_corrupt(tmp_path: Path) -> None:
    """What cannot be opened as a file is named too."""
    (tmp_path / FOLDER / f"{'a' * 32}.json").mkdir(parents=True)
    with pytest.raises(RegistryCorrupt, match="a" * 32):
        Evidence.read(tmp_path / "promptops.json", "a" * 64)


STATEMENT = {
    "form": "r1",
    "consumer": "checkout",
    "needs": {
        "triage": {
            "variables": {"ticket": "text", "history": None},
            "output": {
                "type": "object",
                "required": ["label", "cause"],
                "properties": {
                    "label": {"type": ["string", "null"]},
                    "cause": {"type": "object", "required": ["id"], "properties": {"id": {}}},
                    "more": {"type": "array", "items": {"type": "number"}},
                },
            },
        }
    },
}


def promising(schema: Any) -> PromptVersion:
    """A version whose answers follow a schema, which nobody checked."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return PromptVersion(
        [{"role": "user", "content": "{{ticket}}"}], model="m", response_format=form
    )


def test_a_consumers_file_of_any_content_is_read_or_corrupt_by_name(tmp_path: Path) -> None:
    """300 statements that are odd in one place, each against versions with sound and odd schemas:
    sentences, or RegistryCorrupt that names the file.
    """
    rng, folder = random.Random(17), tmp_path / needs.FOLDER
    folder.mkdir()
    path = folder / "checkout.json"
    schema = STATEMENT["needs"]["triage"]["output"]  # type: ignore[index]
    versions = [promising(schema)] + [promising(damaged(schema, rng)) for _ in range(6)]
    read = 0
    for _ in range(300):
        path.write_text(json.dumps(damaged(STATEMENT, rng)), encoding="utf-8")
        try:
            stated = needs.read(str(tmp_path / "promptops.json"))
        except RegistryCorrupt as error:
            assert str(path) in str(error)
            continue
        read += 1
        for need in stated:
            for version in versions:
                assert all(isinstance(sentence, str) for sentence in need.unmet(version))
    assert 50 < read < 250


@pytest.mark.parametrize("depth", [150, 900, 100_000])
def test_a_deep_consumers_file_is_corrupt_by_name(tmp_path: Path, depth: int) -> None:
    """Depth never becomes RecursionError, whether the parser or the comparison meets it."""
    (tmp_path / needs.FOLDER).mkdir()
    path = tmp_path / needs.FOLDER / "deep.json"
    output = '{"properties":{"a":' * depth + "{}" + "}}" * depth
    path.write_text(
        '{"form":"r1","consumer":"x","needs":{"triage":{"variables":{},"output":' + output + "}}}"
    )
    with pytest.raises(RegistryCorrupt, match=r"deep\.json"):
        needs.read(str(tmp_path / "promptops.json"))


def test_a_registry_with_an_odd_value_is_written_or_refused_by_an_error_of_ours(
    tmp_path: Path,
) -> None:
    """200 registries that are odd in one place: a save, and a promotion past the gate, are made or
    refused, and what was refused left the file as it was.
    """
    path, rng = tmp_path / "promptops.json", random.Random(18)
    editor = Editor(path)
    for text in ("first {{x}}", "second {{x}}"):
        editor.save("triage", PromptVersion(text, model="m"))
    editor.promote("triage", 1, "prod", force=True, reason="first", author="ann")
    sound = json.loads(path.read_text(encoding="utf-8"))
    refused = 0
    for turn in range(200):
        path.write_text(json.dumps(damaged(sound, rng)), encoding="utf-8")
        before = path.read_bytes()
        try:
            if turn % 2:
                Editor(path).save("new", PromptVersion("{{x}}", model="m"))
            else:
                Editor(path).promote("triage", 2, "prod", force=True, reason="why", author="bob")
        except PromptOpsError:
            refused += 1
            assert path.read_bytes() == before
    assert refused > 50


@pytest.mark.parametrize("kind", ["pipe", "device", "sparse", "folder"])
def test_what_is_not_a_file_is_refused_and_never_read_to_its_end(tmp_path: Path, kind: str) -> None:
    """A pipe that nobody writes to, a device without an end and a file of 50 GB in the registry's
    place: a save says so at once.
    """
    path = tmp_path / "promptops.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(50 << 30)
    with pytest.raises(RegistryCorrupt, match=r"promptops\.json"):
        Editor(path).save("new", PromptVersion("{{x}}", model="m"))
