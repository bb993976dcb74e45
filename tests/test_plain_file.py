"""What stands in the place of one of a project's files may be no file: a pipe keeps its reader for
good, a file of gigabytes fills the memory. Each is named at once, and nothing waits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.cli.__main__ import main
from promptops.evidence import FOLDER as EVIDENCE
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.plain_file import open_plain, read_plain, write_target
from promptops.scorers import equals

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes"),
    pytest.mark.usefixtures("no_waiting"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that serves a version with its evidence."""
    root = tmp_path_factory.mktemp("whole") / "project"
    root.mkdir()
    lab = Lab(root, models={"m": ScriptedModel(lambda request: "yes")})
    version = lab.prompt("a").save("{{x}}", model="m")
    rows = [{"x": str(n), "expected": "yes"} for n in range(20)]
    lab.promote(version, env="prod", study=lab.evaluate([version], Dataset.read(rows), [equals()]))
    lab.project.close()
    return root


@pytest.fixture
def project(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    shutil.copytree(whole, root)
    monkeypatch.chdir(root)
    return root


def sparse(path: Path) -> None:
    """A file that is larger than any of ours, without a byte on the disk."""
    path.touch()
    os.truncate(path, 300 << 20)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """A command's exit code, and what it says."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0), "".join(capsys.readouterr())


ODD = pytest.mark.parametrize(
    ("make", "fault"),
    [(os.mkfifo, "pipe, socket or device"), (sparse, "314,572,800 bytes"), (os.mkdir, "directory")],
    ids=["pipe", "large", "folder"],
)
FOUND = {
    "promptops.toml": ("studies",),
    "study.toml": ("evaluate", "."),
    "promptops.consumers/x.json": ("promote", "a", "1", "--env", "staging"),
}


@ODD
@pytest.mark.parametrize("place", FOUND)
def test_it_is_named_where_a_file_is_expected(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    place: str,
    make: Callable[[Path], None],
    fault: str,
) -> None:
    """By the command that finds it in the project, with the path and what it is."""
    (project / place).parent.mkdir(exist_ok=True)
    make(project / place)
    code, said = run(capsys, *FOUND[place])
    assert place.rpartition("/")[2].split(".")[0] in said
    assert fault in said.replace("Is a directory", "directory"), said
    assert code == 2, said


@ODD
def test_it_is_named_on_the_page_of_alarms(
    project: Path, make: Callable[[Path], None], fault: str
) -> None:
    """A monitor's file is one line of the site, beside the others."""
    (project / "promptops.monitors").mkdir()
    make(project / "promptops.monitors" / "x.json")
    main_or_exit(["site", "pages"])
    page = (project / "pages" / "index.html").read_text(encoding="utf-8")
    assert fault in page.replace("Is a directory", "directory")


@ODD
def test_it_is_named_where_evidence_is_cited(
    project: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], None], fault: str
) -> None:
    """`verify` and `registry check` say it, and neither takes it for evidence."""
    (bundle,) = (project / EVIDENCE).iterdir()
    bundle.unlink()
    make(bundle)
    code, said = run(capsys, "verify", "a", "--env", "prod")
    assert code in (1, 2)
    assert bundle.name in said
    assert fault in said.replace("Is a directory", "directory")
    assert run(capsys, "registry", "check")[0] == 1


def test_the_emergency_door_opens_beside_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A forced promotion does not wait for a pipe among the consumers' statements; it records that
    the gate could not be asked. A rehearsal of it is as quick, and writes nothing.
    """
    (project / "promptops.consumers").mkdir()
    os.mkfifo(project / "promptops.consumers" / "x.json")
    os.symlink("/dev/zero", project / EVIDENCE / "endless.json")
    force = ("promote", "a", "1", "--env", "staging", "--force", "--reason", "incident")
    before = (project / "promptops.json").read_bytes()
    main_or_exit([*force, "--dry-run"])
    assert (project / "promptops.json").read_bytes() == before
    main_or_exit(list(force))
    assert "staging of a serves v1" in capsys.readouterr().out
    assert b"could not be asked" in (project / "promptops.json").read_bytes()


def main_or_exit(words: list[str]) -> None:
    """Run a command that has to succeed."""
    try:
        main(words)
    except SystemExit as ended:
        assert not ended.code


def test_a_plain_file_is_read_through_a_link(tmp_path: Path) -> None:
    """A link to a file is that file; a file of just the limit is read, one byte more is not."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_plain(tmp_path / "link", most=5) == b"12345"
    with pytest.raises(OSError, match="5 bytes, more than the 4"):
        read_plain(tmp_path / "link", most=4)
    with pytest.raises(IsADirectoryError):
        open_plain(tmp_path)


def test_a_full_disk_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    """Neither a temporary file nor none, which the command line takes for a fault of its own."""
    resource = pytest.importorskip("resource")
    target = tmp_path / "report.html"
    target.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as told:
            write_target(target, "x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told.value.filename == str(target)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space") as told:
            write_target(Path("/dev/full"), "x")
        assert told.value.filename == "/dev/full"
