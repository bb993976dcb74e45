"""Images that are files: sent and recorded as they are, known by their content, read below the
project's folder and nowhere else (S7).
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import SetupError
from promptops.lab import Dataset, Lab
from promptops.markup import without_data
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains
from promptops.study import images
from promptops.study.ask import Asker
from promptops.version import PromptVersion
from promptops.views.comparison_view import html as comparison_html
from promptops.views.report import report_html
from tests.views.test_safety import every_view, texts

PNG, JPEG, GIF, WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x10\0\0\0WEBP"
SEEN = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": "{{picture}}", "detail": "low"}},
        ],
    },
]


def url_of(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.fixture
def lab(make_lab: Callable[..., Lab], tmp_path: Path) -> Lab:
    """A project with two pictures, a secret one beside it, and a model that keeps what it was
    sent.
    """
    project = tmp_path / "project"
    (project / "pics").mkdir(parents=True)
    (project / "pics" / "cat.png").write_bytes(PNG + b"cat")
    (project / "dog.jpg").write_bytes(JPEG + b"dog")
    (tmp_path / "secret.png").write_bytes(PNG + b"secret")
    sent: list[Any] = []

    def answer(request: dict[str, Any]) -> str:
        sent.append(request["messages"])
        return "an animal"

    made = make_lab(models={"m": ScriptedModel(answer, label="m", remote=True)})
    made.sent = sent  # type: ignore[attr-defined]
    return made


def study(lab: Lab, *pictures: str, messages: Any = SEEN, **rows: Any) -> Any:
    version = lab.prompt("see").save(messages, model="m")
    data = Dataset.read(
        [{"id": f"e{n}", "picture": picture, **rows} for n, picture in enumerate(pictures)]
    )
    return lab.evaluate([version], data, [contains("animal")])


def urls(lab: Lab) -> list[str]:
    """What was sent as an image's address, in order."""
    return [
        part["image_url"]["url"]
        for messages in lab.sent
        for m in messages
        for part in m["content"]
        if isinstance(part, dict) and "image_url" in part
    ]  # type: ignore[attr-defined]


def test_a_file_is_sent_and_recorded_whole(lab: Lab) -> None:
    """As a data: address with the type of its bytes; what stands beside it is left as it was; the
    run has every byte.
    """
    study(lab, "pics/cat.png", "dog.jpg")
    assert sorted(urls(lab)) == sorted([url_of(PNG + b"cat"), url_of(JPEG + b"dog", "image/jpeg")])
    part = lab.sent[0][1]["content"]  # type: ignore[attr-defined]
    assert (part[0], part[1]["image_url"]["detail"]) == (
        {"type": "text", "text": "What is it?"},
        "low",
    )
    recorded = [
        json.loads(request)
        for (request,) in lab.store.rows("select request from runs order by example_id")
    ]
    assert [each["messages"][1]["content"][1]["image_url"]["url"] for each in recorded] == [
        url_of(PNG + b"cat"),
        url_of(JPEG + b"dog", "image/jpeg"),
    ]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (WEBP, "image/webp"),
        (b"GIF87a", "image/gif"),
    ],
)
def test_the_type_is_of_the_bytes_not_of_the_name(
    lab: Lab, tmp_path: Path, content: bytes, kind: str
) -> None:
    (tmp_path / "project" / "odd.txt").write_bytes(content + b"..")
    study(lab, "odd.txt")
    assert urls(lab) == [url_of(content + b"..", kind)]


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/cat.png",
        "HTTP://a.example/x",
        "data:image/png;base64,AAAA",
        "gs://bucket/cat.png",
    ],
)
def test_an_address_is_left_as_it_is(lab: Lab, url: str) -> None:
    """Nothing is fetched, nothing is read."""
    study(lab, url)
    assert urls(lab) == [url]


def bad_paths(root: Path) -> dict[str, tuple[str, str]]:
    """What -> (the path, what is said of it). Made where they need making."""
    outside = root.parent / "secret.png"
    (root / "link.png").symlink_to(outside)
    (root / "up").symlink_to(root.parent, target_is_directory=True)
    (root / "circle.png").symlink_to(root / "circle.png")
    (root / "text.png").write_text("no image")
    (root / "svg.png").write_text("<svg onload='alert(1)'/>")
    (root / "empty.png").touch()
    os.mkfifo(root / "pipe.png")
    with (root / "large.png").open("wb") as file:
        file.write(PNG)
        file.truncate(images.LARGEST + 1)
    below, read, leads, none = (
        "is not a path below",
        "cannot be read below",
        "leads out of the project's folder",
        "is not a PNG, JPEG, GIF or WebP",
    )
    return {
        "up": ("../secret.png", below),
        "down and up": ("pics/../../secret.png", below),
        "up inside": ("pics/../pics/cat.png", below),
        "absolute": (str(outside), leads),
        "passwd": ("/etc/passwd", leads),
        "a link out": ("link.png", leads),
        "a folder that leads out": ("up/secret.png", leads),
        "a circle": ("circle.png", read),
        "file:": (f"file://{outside}", below),
        "FILE:": (f"FILE:{outside}", below),
        "a drive": ("C:/secret.png", below),
        "backslashes": ("..\\secret.png", below),
        "NUL": ("pics/cat.png\0", below),
        "nothing": ("", below),
        "a space": (" ", below),
        "missing": ("pics/cow.png", read),
        "too long": ("x" * 300 + ".png", read),
        "a file as a folder": ("dog.jpg/x.png", read),
        "a folder": ("pics", "is not a file"),
        "a pipe": ("pipe.png", "is not a file"),
        "a device": ("/dev/zero", leads),
        "text": ("text.png", none),
        "svg": ("svg.png", none),
        "empty": ("empty.png", none),
        "large": ("large.png", "has 10,000,001 bytes"),
    }


def test_nothing_else_is_read_and_nothing_is_paid(lab: Lab, tmp_path: Path) -> None:
    """Each is an error of the set-up that names row and file, before anything is asked or recorded,
    though the other row is good.
    """
    for what, (path, said) in bad_paths(tmp_path / "project").items():
        with pytest.raises(SetupError) as caught:
            study(lab, "pics/cat.png", path)
        told = str(caught.value)
        assert told.startswith(
            "1 of 2 examples have an image that cannot be sent; the first is 'e1': the image "
        ), what
        assert said in told, what
        assert repr(path[:200]) in told, what
    assert lab.sent == []  # type: ignore[attr-defined]
    assert lab.store.rows("select count(*) from runs") == [(0,)]


def test_a_path_that_only_looks_bad_is_read(lab: Lab, tmp_path: Path) -> None:
    """An absolute path and a link within the folder, dots in a name."""
    project = tmp_path / "project"
    (project / "inner.png").symlink_to(project / "pics" / "cat.png")
    (project / "a..b.png").write_bytes(PNG + b"dots")
    study(lab, str(project / "dog.jpg"), "inner.png", "a..b.png", "./pics/./cat.png")
    assert set(urls(lab)) == {
        url_of(JPEG + b"dog", "image/jpeg"),
        url_of(PNG + b"cat"),
        url_of(PNG + b"dots"),
    }


def test_a_root_that_is_not_held_to_would_let_it_out(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of the tests above: a reader that takes any path as lying below sends the
    secret.
    """
    (tmp_path / "project" / "link.png").symlink_to(tmp_path / "secret.png")
    monkeypatch.setattr(Path, "is_relative_to", lambda *_: True)
    study(lab, "link.png")
    assert urls(lab) == [url_of(PNG + b"secret")]


def test_images_of_one_request_have_a_size_together(lab: Lab, tmp_path: Path) -> None:
    """Two that fit alone do not fit into one request that is recorded whole."""
    for name in ("a", "b"):
        with (tmp_path / "project" / f"{name}.png").open("wb") as file:
            file.write(PNG + name.encode())
            file.truncate(6_000_000)
    two = [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": url}}
                for url in ("{{picture}}", "{{other}}")
            ],
        }
    ]
    with pytest.raises(
        SetupError,
        match=r"'a.png', 'b.png' have 12,000,000 bytes together; one request may have 10,000,000",
    ):
        study(lab, "a.png", messages=two, other="b.png")


# -- what is asked is known by the content


def test_the_same_image_under_another_name_is_not_asked_again(lab: Lab, tmp_path: Path) -> None:
    """The reuse key follows the bytes: a copy is the same question, another picture under the old
    name is another one and study.
    """
    first = study(lab, "pics/cat.png")
    (tmp_path / "project" / "copy.png").write_bytes(PNG + b"cat")
    study(lab, "copy.png")
    assert len(urls(lab)) == 1
    keys = lab.store.rows("select distinct key from runs")
    (tmp_path / "project" / "pics" / "cat.png").write_bytes(PNG + b"tiger")
    again = study(lab, "pics/cat.png")
    assert urls(lab) == [url_of(PNG + b"cat"), url_of(PNG + b"tiger")]
    assert len(lab.store.rows("select distinct key from runs")) == len(keys) + 1
    assert again.id != first.id
    assert study(lab, "pics/cat.png").id == again.id
    assert len(urls(lab)) == 2


def test_without_files_nothing_is_named_otherwise() -> None:
    """Messages without such an image are the same objects, and so have the keys that they always
    had.
    """
    plain = PromptVersion(SEEN, model="m").render({"picture": "https://a.example/x.png"})
    sent, named = images.embedded(plain, Path("/nowhere"))
    assert sent is plain
    assert named is plain


def test_an_image_that_vanishes_under_way_is_named(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was answered is kept; the error names row and file."""
    from promptops.study import study_run

    real = study_run.StudyRun._questions

    def losing(self: Any) -> Any:
        for asked in real(self):
            yield asked
            (tmp_path / "project" / "dog.jpg").unlink(missing_ok=True)

    monkeypatch.setattr(study_run.StudyRun, "_questions", losing)
    with pytest.raises(SetupError, match="example 'e1': the image 'dog.jpg' cannot be read below"):
        study(lab, "pics/cat.png", "dog.jpg").wait()
    assert lab.store.rows("select example_id, output from runs") == [("e0", "an animal")]


# -- where images come from


def test_an_image_of_the_prompt_and_one_of_the_history(lab: Lab) -> None:
    """Wherever it stands among the messages that are sent."""
    fixed = [
        {"role": "history"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "dog.jpg"}}]},
    ]
    version = lab.prompt("see").save(fixed, model="m")
    said = {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": "pics/cat.png"}},
        ],
    }
    lab.evaluate(
        [version], Dataset.read([{"id": "e0", "q": "x", "history": [said]}]), [contains("animal")]
    )
    assert urls(lab) == [url_of(PNG + b"cat"), url_of(JPEG + b"dog", "image/jpeg")]
    only = lab.prompt("other").save(
        [{"role": "history"}, {"role": "user", "content": "And?"}], model="m"
    )
    said["content"][1]["image_url"]["url"] = "../secret.png"  # type: ignore[index]
    with pytest.raises(SetupError, match="'e0': the image '../secret.png' is not a path below"):
        lab.evaluate(
            [only], Dataset.read([{"id": "e0", "q": "x", "history": [said]}]), [contains("animal")]
        )


def test_a_call_by_hand_sends_files_too(lab: Lab) -> None:
    """The saved version that is called; a bad path raises before anything is sent."""
    version = lab.prompt("see").save(SEEN, model="m")
    assert version(picture="pics/cat.png").text == "an animal"
    assert version(picture="pics/cat.png").reused
    assert urls(lab) == [url_of(PNG + b"cat")]
    with pytest.raises(SetupError, match="leads out of the project's folder"):
        version(picture="/etc/passwd")


def test_what_a_judge_is_shown_is_never_a_path(lab: Lab) -> None:
    """A judge's values are answers: an answer that names a file stays a text."""
    judge = PromptVersion(
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{{answer}}"}}]}],
        model="m",
    )
    lab.project.loop.submit(Asker(lab.project).ask(judge, {"answer": "pics/cat.png"}, 0)).result(20)
    assert urls(lab) == ["pics/cat.png"]


# -- shown shortened


def test_the_bytes_of_an_address_are_cut() -> None:
    """Their beginning stays, with how many were left out; other texts, short addresses too, are as
    they were.
    """
    long = url_of(PNG + bytes(3000))
    assert (
        without_data(f"see {long}, please")
        == f"see {long[:46]}… ({len(long) - 46:,} characters more), please"
    )
    for text in ("plain", url_of(PNG), "base64, is what data: uses " + "x" * 500):
        assert without_data(text) == text


@pytest.mark.parametrize("how", ["file", "address", "in the prompt"])
def test_no_view_holds_an_image(make_lab: Callable[..., Lab], tmp_path: Path, how: str) -> None:
    """A large image is in the run, whole; no widget, page, report or text shows more than its
    beginning.
    """
    contents = [PNG + random.Random(f"{how} {n}").randbytes(300_000) for n in range(2)]
    (tmp_path / "project").mkdir()
    for n, content in enumerate(contents):
        (tmp_path / "project" / f"big{n}.png").write_bytes(content)
    said = {"m": "an animal", "n": "a thing"}
    lab = make_lab(
        models={
            name: ScriptedModel(lambda request, name=name: said[name], label=name) for name in said
        }
    )
    prompt = lab.prompt("triage")
    messages = json.loads(json.dumps(SEEN))
    if how == "in the prompt":
        messages[1]["content"].append(
            {"type": "image_url", "image_url": {"url": url_of(contents[0])}}
        )
    versions = [prompt.save(messages, model=name) for name in said]
    rows = [
        {
            "id": f"e{n}",
            "picture": (
                url_of(contents[n])
                if how == "address"
                else f"big{n}.png"
                if how == "file"
                else f"https://a.example/{n}.png"
            ),
            "expected": f"a {n}",
        }
        for n in range(2)
    ]
    done = lab.evaluate(versions, Dataset.read(rows), [contains("animal")], name="first")
    assert all(
        any(url_of(content) in request for content in contents)
        for (request,) in lab.store.rows("select request from runs")
    )
    lab.promote(versions[1], env="dev", reason="to see it", force=True)
    pages = {
        "comparison": comparison_html(done.compare()),
        "report": report_html(done),
        "study": done._repr_html_(),
    }
    for name, view in every_view(done).items():
        if name == "examples":
            view.pane.press("l")  # type: ignore[attr-defined]
        pages[name] = view.static() + texts(view.box) + repr(view)
        assert len(json.dumps([view.shown().still(), view.shown().live()])) <= 100_000, name
    shown = done.review.examples().detail("e0")
    assert "… (shortened)" in str(shown.new.request) if shown.new else False
    pages["detail"] = str(shown.new) + str(shown.old)
    pages["prompt"] = (
        repr(prompt)
        + prompt._repr_html_()
        + repr(versions[0])
        + versions[0]._repr_html_()
        + str(versions[0].diff(versions[1]))
    )
    pages["dataset"] = repr(Dataset.read(rows)) + Dataset.read(rows)._repr_html_()
    for name, page in pages.items():
        assert len(page) < 400_000, name
        found = re.search(r"(?!A{300})[A-Za-z0-9+/]{300}", page)
        assert found is None or not any(found[0] in url_of(content) for content in contents), name
