"""Hostile files are refused at once; nothing of a file is executed, nothing outside is opened."""

from __future__ import annotations

import itertools
import json
import resource
import zipfile
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import DatasetError
from promptops.exchange import read_export
from promptops.exchange.yaml_lines import read_yaml
from tests.quick import quick


def refused(path: Path, match: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with quick(1), pytest.raises(DatasetError, match=match):
        read_export(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("header.json", "w", force_zip64=True) as member,
    ):
        for _ in range(40):
            member.write(b"\0" * (1 << 20))
    refused(path, "unpacks to more")


def test_a_zstd_bomb_with_a_false_size_is_not_unpacked(tmp_path: Path) -> None:
    import zstandard

    packed = zstandard.ZstdCompressor().compress(b"\0" * (80 << 20))
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", packed)
    body = bytearray(path.read_bytes())
    local, central = body.find(b"PK\x03\x04"), body.find(b"PK\x01\x02")
    body[local + 8 : local + 10] = body[central + 10 : central + 12] = (93).to_bytes(2, "little")
    path.write_bytes(body)
    refused(path, "unpacks to more")


@pytest.mark.parametrize("packed", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_is_one_sentence(tmp_path: Path, packed: int) -> None:
    """A byte that is flipped anywhere, also in the flags that say how a member is packed or
    encrypted, reads as it was or is refused with the file's name.
    """
    whole, path, told = tmp_path / "whole.eval", tmp_path / "log.eval", set()
    with zipfile.ZipFile(whole, "w", packed) as archive:
        archive.writestr("header.json", json.dumps({"version": 2, "status": "success", "eval": {}}))
    data = whole.read_bytes()
    for at in range(4, len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            read_export(path)
        except DatasetError as error:
            assert "log.eval" in str(error)
            told.add(str(error).split("(")[-1][:12])
    assert len(told) > 3, told


def test_an_answer_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A number where HELM has an answer's text is refused before a scorer meets it."""
    state = {
        "instance": {"id": "q1", "input": {"text": "?"}, "references": []},
        "result": {"success": True, "completions": [{"text": 5.0}]},
    }
    path = tmp_path / "scenario_state.json"
    path.write_text(json.dumps({"adapter_spec": {"model": "m"}, "request_states": [state]}))
    refused(path, r"scenario_state.json .* the answer to the example 'q1' is a float, not a text")


def test_many_small_bombs_are_one(tmp_path: Path) -> None:
    """Each below every limit, together 900 times the file."""
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(60):
            archive.writestr(f"samples/{number}.json", b"[" + b"1," * 200_000 + b"1]")
    refused(path, "unpacks to more")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("prompts: [x]\n" + "".join(f"k{n}: 1\n" for n in range(150_000)), "values"),
        ("prompts: [x]\ntests:\n" + "- a\n" * 200_000, "values"),
        ("prompts: [x]\na: &a " + "x" * 1000 + "\nb: [" + "*a," * 150_000 + "1]\n", "values"),
        ('a: "' + "x" * 3_000_000 + '"\n', "characters"),
        ("? " * 60_000, "values|read"),
        ("[" * 200_000, "deeply|JSON"),
        ("\n".join(" " * n + "a:" for n in range(1_200)), "read"),
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", "tag"),
    ],
)
def test_hostile_yaml_takes_no_second(tmp_path: Path, text: str, match: str) -> None:
    """Refused by what can be counted before it is parsed."""
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(text)
    refused(path, match)


def test_a_large_json_config_is_read_without_lines(tmp_path: Path) -> None:
    """What YAML would be too large for, JSON is not."""
    tests = [{"vars": {"x": "word " * 40}} for _ in range(6_000)]
    path = tmp_path / "promptfooconfig.json"
    path.write_text(json.dumps({"prompts": ["Say {{x}}"], "tests": tests}))
    assert len(read_export(path).examples) == 6_000


@pytest.mark.parametrize(
    "given",
    [
        {"tests": [{}] * 300_000},
        {"tests": [{"vars": {name: list(range(10)) for name in "abcdefghij"}}]},
        {"prompts": ["a"] * 60_000, "tests": []},
        {"prompts": [f"a{n}" for n in range(400)], "providers": [f"m{n}" for n in range(400)]},
        {"scenarios": [{"config": [{}] * 300, "tests": [{"vars": {"x": 1}}] * 300}]},
    ],
    ids=["tests", "combinations", "prompts", "versions", "scenarios"],
)
def test_a_config_that_unfolds_to_millions_is_refused(
    given: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "promptfooconfig.json"
    path.write_text(json.dumps({"prompts": ["x"], **given}))
    refused(path, "more than 50,000")


def test_formulas_are_texts(tmp_path: Path) -> None:
    """Read as they stand, and written so that no table computes them."""
    path = tmp_path / "rows.jsonl"
    row = {"input": {"q": "=HYPERLINK(1)"}, "expectedOutput": "+1"}
    path.write_text(json.dumps([{**row, "id": "a", "datasetName": "d"}]))
    [example] = read_export(path).examples
    assert example.inputs == {"q": "=HYPERLINK(1)"}
    data = read_export(path).dataset
    assert data is not None
    out = data.write(tmp_path / "out.csv").read_text()
    assert "=HYPERLINK" not in out.replace("'=HYPERLINK", "")


def test_yaml_bombs_and_tags_are_refused() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(DatasetError, match="expand"):
        read_yaml("l0: &l0 [x]\n" + "\n".join(levels), "bomb.yaml")
    with pytest.raises(DatasetError, match=r"x\.yaml:2.*tag"):
        read_yaml("a: 1\nb: !!python/object/apply:os.system ['true']\n", "x.yaml")
    with pytest.raises(DatasetError):
        read_yaml("[" * 5000, "deep.yaml")


def test_yaml_is_1_2() -> None:
    found = read_yaml("a: Yes\nb: on\nc: 010\nd: { t: Where is it? }\ne: 1.5\nf: ~\n", "x").value
    assert found == {
        "a": "Yes",
        "b": "on",
        "c": 10,
        "d": {"t": "Where is it?"},
        "e": 1.5,
        "f": None,
    }


def test_paths_upward_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    folder = tmp_path / "in"
    folder.mkdir()
    config = folder / "promptfooconfig.yaml"
    config.write_text(
        "prompts: ['file://../secret.txt', 'file:///etc/hostname', 'ask {{x}}']\n"
        "tests: [{ vars: { x: 'file://../secret.txt' } }, 'file://../rows.csv']\n"
    )
    found = read_export(config)
    assert "the secret" not in str(found)
    assert len(found.versions) == 1
    assert len(found.left) == 4


def test_code_that_a_config_names_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    (tmp_path / "prompt.py").write_text(f"open({str(marker)!r}, 'w')")
    config = tmp_path / "c.yaml"
    config.write_text(
        "prompts: ['file://prompt.py', 'ask {{x}}']\nproviders: ['file://prompt.py']\n"
        "tests: [{ vars: { x: 1 }, assert: [{ type: python, value: 'file://prompt.py' }] }]\n"
    )
    found = read_export(config)
    assert not marker.exists()
    assert [left.line for left in found.left] == [2, 1, 3]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("[" * 61, "deeper than 60 levels"),
        (
            "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + "".join(
                f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
                for before, name in itertools.pairwise("abcdef")
            ),
            "expand to more than 100,000 values",
        ),
        ("a: &a [? *a]\n", "has a key that is not a text"),
        ("a: &a {b: *a}\n", "deeper than 60 levels"),
        ("a: !!python/object:x 1\n", "nothing of a file is executed"),
    ],
)
def test_yaml_beyond_the_limit_is_refused_before_the_rest_is_parsed(start: str, said: str) -> None:
    """What follows is a fault of its own, and not the one that is named."""
    rest = "[" * 5000 if start[0] == "[" else "- x\n" * 2000 + "{"
    with pytest.raises(DatasetError, match=said):
        read_yaml(start + rest, "x.yaml")
