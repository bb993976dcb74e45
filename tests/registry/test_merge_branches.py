"""Law: branches merge (G12): plain git where they touched different prompts, the merge command
where the same; 0 versions lost.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptops import Loader, PromptVersion, RegistryCorrupt, RegistryError
from promptops.policy import Policy
from promptops.registry import document
from promptops.registry.editor import Editor
from promptops.registry.merge_branches import merge, merge_files

NAME = "support-triage"


def version(text: str) -> PromptVersion:
    return PromptVersion(f"{text}\nline two\nline three\n{{{{ticket}}}}")


def parsed(path: Path) -> dict[str, Any]:
    return document.parse(path.read_bytes(), str(path))


def ids(read: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (name, entry["id"])
        for name, prompt in read["prompts"].items()
        for entry in prompt["versions"]
    }


def branch(base: Path, name: str) -> tuple[Path, Editor]:
    path = base.with_name(f"{name}.json")
    path.write_bytes(base.read_bytes())
    return path, Editor(path)


# -- odd sides


ODD = [None, 0, "x", [], {}, [[]], {"a": 1}, {"id": {}}, {"id": [], "number": "1"}, 1e9]


@pytest.mark.parametrize("side", [0, 1, 2], ids=["base", "ours", "theirs"])
@pytest.mark.parametrize(
    "place",
    [
        ("versions", 0),
        ("versions", 0, "id"),
        ("versions", 0, "number"),
        ("environments", "prod", "deployments", 0),
        ("environments", "prod", "deployments", -1, "version"),
    ],
    ids=lambda place: ".".join(map(str, place)),
)
def test_an_odd_side_is_refused_by_name_and_nothing_is_written(
    tmp_path: Path, side: int, place: tuple[Any, ...]
) -> None:
    """Any value in a version's or deployment's place: merged, or RegistryCorrupt, and never an
    error of Python; half of a surrogate pair too, which JSON can hold and UTF-8 cannot.
    """
    base = tmp_path / "base.json"
    editor = Editor(base)
    editor.save(NAME, version("one"), author="me")
    editor.promote(NAME, 1, "prod", author="me", force=True, reason="first")
    paths = [base]
    for name in ("ours", "theirs"):
        path, editor = branch(base, name)
        number = editor.save(NAME, version(name), author="me")
        editor.promote(NAME, number, "prod", author="me", force=True, reason="next")
        paths.append(path)
    sound = paths[side].read_bytes()
    refused = 0
    for value in [*ODD, "\ud800"]:
        read = json.loads(sound)
        inner = read["prompts"][NAME]
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
        paths[side].write_text(json.dumps(read))
        before = paths[1].read_bytes()
        try:
            merge_files(*map(str, paths))
        except RegistryCorrupt:
            refused += 1
            assert paths[1].read_bytes() == before
        else:
            paths[1].write_bytes(sound if side == 1 else before)
    assert refused or place != ("versions", 0)


# -- by plain git


def random_change(
    editor: Editor, prompts: list[str], dice: random.Random, side: str, fresh: int
) -> None:
    """A handful of changes to these prompts of the file: saves, promotions, rollbacks, policies;
    sometimes a new prompt.
    """
    for step in range(dice.randint(1, 5)):
        name = dice.choice(prompts)
        act = dice.random()
        numbers = [entry.number for entry in editor.versions(name)]
        if act < 0.45 or not numbers:
            editor.save(name, version(f"{side} {step} {dice.random()}"), author=side)
        elif act < 0.8:
            editor.promote(
                name,
                dice.choice(numbers),
                dice.choice(["dev", "prod"]),
                author=side,
                force=True,
                reason=side,
                override=side,
            )
        elif act < 0.9 and len(editor.history(name, "dev")) > 1:
            editor.rollback(name, "dev", to=dice.choice(numbers), author=side)
        else:
            editor.set_policy(Policy(min_n=dice.randint(1, 99)), name)
    if fresh:
        editor.save(f"new-{side}-{fresh}", version(f"{side} new"), author=side)


def merged_by_git(base: Path, ours: Path, theirs: Path) -> tuple[int, bytes]:
    done = subprocess.run(
        ["git", "merge-file", "-p", str(ours), str(base), str(theirs)],
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout


def pairs_merge(tmp_path: Path, count: int, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(count):
        folder = tmp_path / str(number)
        folder.mkdir()
        base = folder / "base.json"
        editor = Editor(base)
        prompts = [f"prompt-{letter}" for letter in "abcdefgh"[: dice.randint(2, 8)]]
        for name in prompts:
            for index in range(dice.randint(0, 3)):
                editor.save(name, version(f"base {name} {index}"))
            if dice.random() < 0.6 and editor.versions(name):
                editor.promote(name, 1, "dev", author="base")
        prompts = [name for name in prompts if editor.versions(name)]
        if len(prompts) < 2:
            editor.save("prompt-x", version("x"))
            editor.save("prompt-y", version("y"))
            prompts = ["prompt-x", "prompt-y"]
        dice.shuffle(prompts)
        half = dice.randint(1, len(prompts) - 1)
        (ours, one), (theirs, two) = branch(base, "ours"), branch(base, "theirs")
        new = dice.randint(
            0, 2
        )  # at most one side adds a prompt: two new neighbours may need the merge command
        random_change(one, prompts[:half], dice, "ours", number if new == 1 else 0)
        random_change(two, prompts[half:], dice, "theirs", number if new == 2 else 0)
        code, data = merged_by_git(base, ours, theirs)
        assert code == 0, (seed, number)
        read = document.parse(data, "merged")
        assert list(document.check(read)) == [], (seed, number)
        assert ids(read) == ids(parsed(ours)) | ids(parsed(theirs)), (seed, number)
        assert document.render(read).encode() == data, (seed, number)
        command = merge(parsed(base), parsed(ours), parsed(theirs))
        assert command.document == read, (seed, number)
        assert (command.notes, command.conflicts) == ((), ())


def test_branches_on_different_prompts_merge_by_plain_git(tmp_path: Path) -> None:
    """G12: 200 random pairs, `git merge-file` alone: no conflict, canonical, sound, 0 versions
    lost; the command agrees.
    """
    seed = random.randrange(2**32)
    print("seed", seed)
    pairs_merge(tmp_path, 200, seed)


@pytest.mark.soak
def test_many_more_branches_merge_by_plain_git(tmp_path: Path) -> None:
    """G12, night: 5,000 pairs."""
    pairs_merge(tmp_path, 5_000, 20_260_101)


# -- by the merge command


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.json"
    editor = Editor(path)
    editor.save(NAME, version("one"))
    editor.save(NAME, version("two"))
    editor.promote(NAME, 1, "dev", author="base")
    editor.promote(NAME, 1, "prod", author="base", force=True, reason="r")
    return path


def test_the_same_prompt_on_both_sides_keeps_every_version(base: Path) -> None:
    """A number clash is settled by content id, the same whichever side merges; chains and ids stay
    as they were.
    """
    (ours, one), (theirs, two) = branch(base, "ours"), branch(base, "theirs")
    one.save(NAME, version("ours"))
    two.save(NAME, version("theirs"))
    two.save(NAME, version("theirs again"))
    one.promote(NAME, 3, "dev", author="o")
    two.promote(NAME, 3, "prod", author="t", force=True, reason="r")
    assert merged_by_git(base, ours, theirs)[0] != 0  # plain git cannot
    there = merge(parsed(base), parsed(ours), parsed(theirs))
    back = merge(parsed(base), parsed(theirs), parsed(ours))
    assert there.document == back.document
    assert there.conflicts == ()
    assert [entry["number"] for entry in there.document["prompts"][NAME]["versions"]] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert ids(there.document) == ids(parsed(ours)) | ids(parsed(theirs))
    assert list(document.check(there.document)) == []
    assert any("both sides had taken that number" in note for note in there.notes)
    merge_files(str(base), str(ours), str(theirs))
    loader = Loader(ours, saved_copy=False)
    assert loader.get(NAME, "dev").id == version("ours").id
    assert loader.get(NAME, "prod").id == version("theirs").id


def test_one_environment_changed_on_both_sides_is_reported(base: Path) -> None:
    """A real conflict is a person's: it says what each side serves, by whom; ours stays, both
    sides' versions stay.
    """
    (ours, one), (theirs, two) = branch(base, "ours"), branch(base, "theirs")
    one.save(NAME, version("ours"))
    two.save(NAME, version("theirs"))
    one.promote(NAME, 3, "dev", author="olga")
    two.promote(NAME, 3, "dev", author="theo")
    merged = merge(parsed(base), parsed(ours), parsed(theirs))
    (conflict,) = merged.conflicts
    assert "dev of support-triage was changed on both sides" in conflict
    assert "promote by olga" in conflict
    assert "promote by theo" in conflict
    assert ids(merged.document) == ids(parsed(ours)) | ids(parsed(theirs))
    assert list(document.check(merged.document)) == []
    assert (
        merged.document["prompts"][NAME]["environments"]["dev"]
        == parsed(ours)["prompts"][NAME]["environments"]["dev"]
    )


def test_one_side_that_is_ahead_wins(base: Path) -> None:
    """A chain that goes on from the other side's is not a conflict; neither is one that only one
    side touched.
    """
    (ours, one), (theirs, two) = branch(base, "ours"), branch(base, "theirs")
    one.promote(NAME, 2, "dev", author="o")
    theirs.write_bytes(ours.read_bytes())
    two.rollback(NAME, "dev", author="t")
    merged = merge(parsed(base), parsed(ours), parsed(theirs))
    assert merged.conflicts == ()
    assert len(merged.document["prompts"][NAME]["environments"]["dev"]["deployments"]) == 3
    assert merge(parsed(base), parsed(theirs), parsed(ours)).document == merged.document


def test_policies_merge_by_the_three_way_rule(base: Path) -> None:
    """The side that changed it wins; two changes are a conflict and ours stays."""
    (ours, one), (theirs, two) = branch(base, "ours"), branch(base, "theirs")
    two.set_policy(Policy(min_n=9), NAME)
    assert merge(parsed(base), parsed(ours), parsed(theirs)).document["prompts"][NAME][
        "policy"
    ] == {"min_n": 9}
    one.set_policy(Policy(min_n=5), NAME)
    one.set_policy(Policy(alpha=0.01))
    merged = merge(parsed(base), parsed(ours), parsed(theirs))
    assert merged.document["prompts"][NAME]["policy"] == {"min_n": 5}
    assert merged.document["policy"] == {"alpha": 0.01}
    assert "the policy of support-triage was changed on both sides" in merged.conflicts[0]


def test_random_branches_of_the_same_prompts_lose_no_version(tmp_path: Path) -> None:
    """Both sides change whatever they like: every version of either side is in the result, and the
    result is sound.
    """
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        base = folder / "base.json"
        editor = Editor(base)
        names = ["a", "b", "c"]
        for name in names:
            editor.save(name, version(f"base {name}"))
        (ours, one), (theirs, two) = branch(base, "ours"), branch(base, "theirs")
        random_change(one, names, dice, "ours", number)
        random_change(two, names, dice, "theirs", number)
        merged = merge(parsed(base), parsed(ours), parsed(theirs))
        assert ids(merged.document) == ids(parsed(ours)) | ids(parsed(theirs))
        assert list(document.check(merged.document)) == []


def test_git_uses_it_as_a_merge_driver(base: Path, tmp_path: Path) -> None:
    """Configured as git's merge driver on a base install, `git merge` settles what plain git
    cannot, and stops at a real conflict.
    """
    repository = tmp_path / "repository"
    repository.mkdir()
    settings = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "commit.gpgsign=false",
    )

    def git(*words: str, check: bool = True) -> int:
        return subprocess.run(
            ["git", *settings, *words], cwd=repository, check=check, capture_output=True
        ).returncode

    git("init")
    git(
        "config", "merge.promptops.driver", f"{sys.executable} -m promptops.registry merge %O %A %B"
    )
    (repository / ".gitattributes").write_text("promptops.json merge=promptops\n")
    path = repository / "promptops.json"
    path.write_bytes(base.read_bytes())
    git("add", ".")
    git("commit", "-m", "base")
    git("checkout", "-b", "theirs")
    editor = Editor(path)
    editor.save(NAME, version("theirs"))
    git("commit", "-am", "theirs")
    git("checkout", "main")
    editor.save(NAME, version("ours"))
    editor.promote(NAME, 3, "dev", author="o")
    git("commit", "-am", "ours")
    git("merge", "--no-edit", "theirs")
    assert len(editor.versions(NAME)) == 4
    assert editor.serving(NAME, "dev").id == version("ours").id  # type: ignore[union-attr]
    git("checkout", "-b", "more", "theirs")
    editor.promote(NAME, 3, "dev", author="m")
    git("commit", "-am", "more")
    git("checkout", "main")
    assert git("merge", "--no-edit", "more", check=False) == 1
    assert len(editor.versions(NAME)) == 4
    assert editor.serving(NAME, "dev").author == "o"  # type: ignore[union-attr]


def test_what_is_no_registry_is_not_merged(base: Path, tmp_path: Path) -> None:
    """A torn side, or an export, is refused, and nothing is written."""
    ours, _ = branch(base, "ours")
    torn = tmp_path / "torn.json"
    torn.write_bytes(base.read_bytes()[:-30])
    before = ours.read_bytes()
    with pytest.raises(RegistryCorrupt, match=r"torn\.json"):
        merge_files(str(base), str(ours), str(torn))
    with pytest.raises(RegistryError, match="cannot be read"):
        merge_files(str(base), str(ours), str(tmp_path / "absent.json"))
    with pytest.raises(RegistryError, match="an export"):
        merge(
            parsed(base),
            parsed(ours),
            {**json.loads(before), "exported": {"environment": "dev", "last": 1}},
        )
    assert ours.read_bytes() == before
    empty = tmp_path / "empty.json"
    empty.write_bytes(b"")  # what git hands over if there is no common ancestor
    assert merge_files(str(empty), str(ours), str(base)).conflicts == ()
