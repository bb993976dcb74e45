"""A corrected golden answer (promise R17): one value of the user's file changes, and every other
byte stands.

Each form of file is corrected by a study that ran on it and by the same study after a restart. What
cannot be changed by itself stands beside the file, and what is uncertain is refused and left alone.
"""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pandas
import pytest

from promptops.canonical import canonical
from promptops.dataset import corrections
from promptops.errors import DatasetError
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel


class Form(NamedTuple):
    """A file that holds a row of the id `id`; old and new: what stands there, and what shall."""

    file: str
    data: bytes
    roles: dict[str, Any]
    id: str
    answer: Any
    old: bytes
    new: bytes


ROLES = {"inputs": ["q"], "expected": "gold", "id": "key"}


def text(
    file: str,
    text: str,
    old: str,
    new: str,
    answer: Any = "pay",
    encoding: str = "utf-8",
    **roles: Any,
) -> Form:
    return Form(
        file,
        text.encode(encoding),
        {**ROLES, **roles},
        "2",
        answer,
        *(part.encode(encoding) for part in (old, new)),
    )


def marked(form: Form, mark: bytes) -> Form:
    return form._replace(data=mark + form.data)


LIST = (
    '[\n  {"key": 1, "q": "a", "gold": "x"}, {"key": 2, "gold" : "bug","q": "b", "more": 1.50},\n '
    ' {"key": 3, "q": "c", "gold": "bug"}\n]'
)
LINES = (
    '{"key": 1, "q": "a", "gold": "bug"}\n{ "more":1e2, "gold":"bug" ,"q":"\\u00e4 b", "key":"2"'
    ' }\n\n{"key":3,"q":"c","gold":"x"}'
)
FORMS = {
    "comma": text("t.csv", "key,q,gold,note\n1,a,bug,\n2,b,bug,bug\n3,c,bug,x\n", "b,bug,bug", "b,pay,bug"),
    "comma in the answer": text("t.csv", "key,q,gold\n1,a,x\n2,b,bug\n", "b,bug", 'b,"pay, or ""x"""', 'pay, or "x"'),
    "semicolon, CRLF, cp1252, blank lines": text(
        "t.csv", "gold;key;q;n\r\nä;1;a;\r\n\r\n;;;\r\nbüg;2;b;n\r\n", "büg;2", "9,90 €;2", "9,90 €", "cp1252"
    ),
    "quoted newlines": text("t.csv", 'key,q,gold\n1,"a\n\n2,b,bug",x\n2,"b\r\nc","b\nu\ng"\n', '"b\nu\ng"', '"pay"'),
    "doubled quotes": text("t.csv", '"key","q","gold"\n"1","a ""x""","x"\n"2","b, ""y""","bu""g"\n', '"bu""g"', '"pay"'),
    "a formula": text("t.csv", "key,q,gold\n1,=1+1,x\n2,=b,=bug\n", "=b,=bug", "=b,'=pay", "=pay"),
    "a negative number": text("t.csv", "key,q,gold\n1,a,-3\n2,b,-4\n", "b,-4", "b,-5", "-5"),
    "Excel's first line": text("t.csv", "sep=;\r\nkey;q;gold\r\n1;a;x\r\n2;b;bug\r\n", "b;bug", "b;pay"),
    "no last line end": text("t.csv", "key,q,gold\n1,a,x\n2,b,bug", "b,bug", "b,pay"),
    "old Macintosh": text("t.csv", "key,q,gold\r1,a,x\r2,b,bug\r3,c,x\r", "b,bug", "b,pay"),
    "byte order mark": marked(text("t.csv", "key,q,gold\n1,ä,x\n2,b,bug\n", "b,bug", "b,ÿ€", "ÿ€"), b"\xef\xbb\xbf"),
    "UTF-16": marked(text("t.csv", "key\tq\tgold\r\n1\tä\tx\r\n2\tb\tbug\r\n", "b\tbug", "b\tπ", "π", "utf-16-be"), b"\xfe\xff"),
    "tabs": text("t.tsv", 'key\tgold\tq\n1\tx\ta, b\n2\tbug\tb\n', "2\tbug", "2\tpay"),
    "JSON lines": text("t.jsonl", LINES, '"gold":"bug" ,', '"gold":"p\\u20acy" ,', "p€y"),
    "JSON lines, CRLF, an object": text(
        "t.jsonl", '{"q":"ä","key":"1","gold":null}\r\n{"q":"b","key":"2","gold":{"b":[1,2]}}\r\n', '{"b":[1,2]}', '{"a": "ä"}', {"a": "ä"}
    ),
    "JSON lines, nested": text(
        "t.jsonl",
        '{"key":"1","inputs":{"q":"a","gold":"bug"}}\n{"inputs": {"gold":"bug", "q":"b"}, "key":"2"}\n',
        '{"gold":"bug"',
        '{"gold":"pay"',
    ),
    "JSON list": text("t.json", LIST, '"gold" : "bug"', '"gold" : "pay"'),
    "JSON list under a key": text("t.json", '{"v": [1], "rows": ' + LIST + ', "n": 3}\n', '"gold" : "bug"', '"gold" : 4', 4),
    "ids of our own": text("t.csv", "q,gold\na,bug\nb,bug\nc,x\n", "b,bug", "b,pay", id=False),
}  # fmt: skip


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(models={"m": ScriptedModel(lambda request: "pay", label="m")})


def evaluated(lab: Lab, data: Dataset, name: str = "look") -> Any:
    version = lab.prompt("p").save(f"{{{{{data.columns[1]}}}}}", model="m")
    return lab.evaluate([version], data, name=name)


def placed(lab: Lab, name: str, data: bytes) -> Path:
    path: Path = lab.project.root / name
    path.write_bytes(data)
    return path


def files(root: Path) -> dict[str, bytes]:
    """Every file of a project that is the user's own."""
    own = (
        path
        for path in root.rglob("*")
        if path.is_file() and ".promptops" not in path.parts and path.name != "promptops.json"
    )
    return {str(path.relative_to(root)): path.read_bytes() for path in own}


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a restart"])
@pytest.mark.parametrize("name", FORMS)
def test_one_value_changes_and_every_other_byte_stands(
    name: str, again: bool, lab: Lab, make_lab: Callable[..., Lab]
) -> None:
    """In every form of file; the row reads back with its new answer, and every id, split and other
    answer is as before.
    """
    form = FORMS[name]
    assert form.data.count(form.old) == 1, "the case names one place"
    path = placed(lab, form.file, form.data)
    data = Dataset.read(path, **form.roles)
    study = evaluated(lab, data)
    id = form.id if form.roles["id"] else data.examples[1].id
    if again:
        study = make_lab().study("look")
    shown = study.review.correct(id, form.answer, write=False)
    assert path.read_bytes() == form.data
    made = study.review.correct(id, form.answer)
    assert files(lab.project.root) == {form.file: form.data.replace(form.old, form.new)}
    after = Dataset.read(path, **form.roles)
    assert after == data.replaced(id, expected=form.answer)
    assert shown.diff == made.diff != ""
    assert made.diff.splitlines()[1][0] == "-"
    assert os.fspath(made) == str(path)
    assert not study.review.correct(id, form.answer).diff  # twice changes nothing


def test_the_line_that_changes_is_told(lab: Lab) -> None:
    """Its place, how it was, how it is; in a list of JSON the line of the value itself."""
    path = placed(lab, "t.csv", FORMS["comma"].data)
    made = evaluated(lab, Dataset.read(path, **ROLES)).review.correct("2", "pay")
    assert repr(made) == "t.csv:3\n- 2,b,bug,bug\n+ 2,b,pay,bug"
    path = placed(
        lab, "l.json", json.dumps([{"key": "2", "q": "b", "gold": "bug"}], indent=1).encode()
    )
    made = evaluated(lab, Dataset.read(path, **ROLES), "list").review.correct("2", "pay")
    assert repr(made) == 'l.json:5\n-   "gold": "bug"\n+   "gold": "pay"'


def test_a_correction_may_be_corrected(lab: Lab, make_lab: Callable[..., Lab]) -> None:
    """The one that this lab wrote itself; a change of somebody else, also one of before a restart,
    is refused with the way on.
    """
    path = placed(lab, "t.csv", FORMS["comma"].data)
    study = evaluated(lab, Dataset.read(path, **ROLES))
    study.review.correct("2", "pay")
    study.review.correct("2", "paid")
    assert path.read_bytes() == FORMS["comma"].data.replace(b"b,bug,", b"b,paid,")
    before = files(lab.project.root)
    with pytest.raises(
        DatasetError,
        match=r"t.csv:3 \(2\) was changed by somebody .* evaluate on the file as it is",
    ):
        make_lab().study("look").review.correct("2", "pay")
    path.write_bytes(before["t.csv"].replace(b"paid", b"theirs"))
    with pytest.raises(DatasetError, match="was changed by somebody"):
        study.review.correct("2", "pay")
    assert path.read_bytes() == before["t.csv"].replace(b"paid", b"theirs")


def test_a_row_that_moved_is_found_and_one_that_changed_is_refused(lab: Lab) -> None:
    """Rows may come and go around it; another question, or no row, is left alone."""
    path = placed(lab, "t.csv", b"key,q,gold\n1,a,x\n2,b,bug\n3,c,y\n")
    study = evaluated(lab, Dataset.read(path, **ROLES))
    path.write_bytes(b"key,q,gold\n0,z,x\n3,c,y\n2,b,bug\n")
    study.review.correct("2", "pay")
    assert path.read_bytes() == b"key,q,gold\n0,z,x\n3,c,y\n2,b,pay\n"
    for now, fault in (
        (b"key,q,gold\n2,other,bug\n", "is no longer what was evaluated"),
        (b"key,q,gold\n1,a,x\n", "has no row '2'"),
        (b"key,q,gold\n1,a,x\n3,c,x\n2,b\n", "has 2 cells"),
        (b"key,q,right\n2,b,bug\n", "no row has the column 'gold'"),
    ):
        path.write_bytes(now)
        with pytest.raises(DatasetError, match=fault):
            study.review.correct("2", "paid")
        assert files(lab.project.root) == {"t.csv": now}
    path.unlink()
    with pytest.raises(DatasetError, match="the file .* no longer exists; pass path="):
        study.review.correct("2", "pay")
    assert files(lab.project.root) == {}


# -- beside the file


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (["key", "q", "gold"], ["1", "a", 3], ["2", "b", 4]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet() -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(pa.table({"key": ["1", "2"], "q": ["a", "b"], "gold": [3, 4]}), out)
    return out.getvalue()


CHATS = b"".join(
    json.dumps(
        {
            "id": id,
            "messages": [{"role": "user", "content": q}, {"role": "assistant", "content": "bug"}],
        }
    ).encode()
    + b"\n"
    for id, q in (("1", "a"), ("2", "b"))
)
BESIDE = {
    "XLSX": Form("t.xlsx", workbook(), ROLES, "2", 5, b"4", b"a value of a .xlsx file"),
    "Parquet": Form("t.parquet", parquet(), ROLES, "2", 5, b"4", b"a value of a .parquet file"),
    "a character that the encoding lacks": Form(
        "t.csv", "key,q,gold\n1,äöü,x\n2,b,büg\n".encode("cp1252"), ROLES, "2", "π", '"büg"'.encode(), b"cannot hold"
    ),
    "computed from a chat": Form("t.jsonl", CHATS, {}, "2", "pay", b'"bug"', b"no value 'expected' of its own"),
    "no such value in the row": Form(
        "t.jsonl", b'{"key":"1","q":"a","gold":"x"}\n{"key":"2","q":"b"}\n', ROLES, "2", "pay", b"null", b"no value 'gold'"
    ),
    "no column of golden answers": Form(
        "t.csv", b"key,q\n1,a\n2,b\n", {"inputs": ["q"], "id": "key"}, "2", "pay", b"null", b"no column of golden answers"
    ),
    "the answer is an input too": Form(
        "t.csv", b"q,gold\na,x\nb,bug\n", {"inputs": ["q", "gold"], "expected": "gold"}, "", "pay", b'"bug"', b"other rows, or their ids"
    ),
    "the delimiter would be another": Form(
        "t.csv", b"key,q;gold\n2,b;bug\n", {"id": "key", "expected": "q;gold", "inputs": ["key"]}, "2", "c;d;e", b'"b;bug"', b""
    ),
}  # fmt: skip


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a restart"])
@pytest.mark.parametrize("name", BESIDE)
def test_what_cannot_change_alone_stands_beside_the_file(
    name: str, again: bool, lab: Lab, make_lab: Callable[..., Lab]
) -> None:
    """The file keeps every byte, `Dataset.read` gives the corrected answer under the same id, and
    the reason is told.
    """
    form = BESIDE[name]
    path = placed(lab, form.file, form.data)
    data = Dataset.read(path, **form.roles)
    id = form.id or data.examples[1].id
    study = evaluated(lab, data)
    if again:
        study = make_lab().study("look")
    made = study.review.correct(id, form.answer)
    after = Dataset.read(path, **form.roles)
    assert after == data.replaced(id, expected=form.answer)
    if not form.new:  # either way is right, as long as it reads back
        return
    beside = f"{form.file}.corrections.jsonl"
    assert data.origin is not None
    roles = data.origin.roles
    rest: dict[str, Any] = {} if roles.expected is None else {"column": roles.expected}
    rest["asks"] = {
        column: sha256(canonical([data.get(id).inputs.get(name)]).encode()).hexdigest()[:8]
        for name, column in roles.inputs.items()
    }
    line = b'{"id": "%s", "was": %s, "expected": %s, %s\n' % (
        id.encode(),
        form.old,
        json.dumps(form.answer, ensure_ascii=False).encode(),
        json.dumps(rest, ensure_ascii=False).encode()[1:],
    )
    assert files(lab.project.root) == {form.file: form.data, beside: line}
    assert form.new.decode() in made.why
    assert f"golden answers that were read from {beside}: 1 (first: {id!r})." in after.notes
    study.review.correct(id, "other")
    assert Dataset.read(path, **form.roles).get(id).expected == "other"
    assert (lab.project.root / beside).read_bytes().count(b"\n") == 1  # one line an example


def test_a_correction_counts_while_the_file_says_what_it_said(lab: Lab) -> None:
    """An answer that was changed in the file itself is the newer one; a row that is gone is said;
    both are named.
    """
    path = placed(lab, "t.csv", b"key,q,gold\n1,a,x\n2,b,y\n")
    entries = [
        {"id": "1", "was": "w", "expected": "v"},
        {"id": "9", "was": "x", "expected": "v"},
        {"id": "2", "was": "y", "expected": "v"},
    ]
    corrections.overlay_of(path).write_text("\n".join(map(json.dumps, entries)))
    data = Dataset.read(path, **ROLES)
    assert data["expected"] == ["x", "v"]
    said = "\n".join(data.notes)
    assert "do not count" in said
    assert "of rows that are not there: 1 (first: '9')" in said


@pytest.mark.parametrize(
    ("line", "fault"),
    [(b"{", "1: it is not JSON"), (b'{"id": 1, "was": 1, "expected": 2}', "1 is not a correction"), (b"[]", "1 is not a correction"),
     (b'{"id": "1"}', "1 is not a correction"), (b'\xff', "is not UTF-8"), (b'{"id":"1","was":1,"expected":2}\n' * 2, "2 corrects '1' a second")],
)  # fmt: skip
def test_bad_corrections_are_named(line: bytes, fault: str, tmp_path: Path) -> None:
    """A line that is not a correction stops the reading, with the line and the way on."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"key,q,gold\n1,a,x\n")
    corrections.overlay_of(path).write_bytes(line)
    with pytest.raises(
        DatasetError, match=f"t.csv.corrections.jsonl.{fault}|t.csv.corrections.jsonl {fault}"
    ):
        Dataset.read(path, **ROLES)


# -- what is never written


def test_nothing_outside_the_project_is_written_or_guessed(
    lab: Lab, make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """Not the file that was read, nor one of the same name elsewhere, nor through a link or a path
    of two dots; now or after a restart.
    """
    outside = tmp_path / "tickets.csv"
    outside.write_bytes(b"key,q,gold\n1,a,x\n2,b,bug\n")
    folder = lab.project.root / "data"
    folder.mkdir()
    (folder / "tickets.csv").write_bytes(b"key,q,gold\n1,a,theirs\n")
    (lab.project.root / "link.csv").symlink_to(outside)
    (lab.project.root / "linked").symlink_to(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.csv")}
    evaluated(lab, Dataset.read(outside, **ROLES), "outside")
    evaluated(lab, Dataset.read(lab.project.root / "link.csv", **ROLES), "link")
    for opened in (lab, make_lab()):
        for study in map(opened.study, ("outside", "link")):
            assert study.review.dataset_file() is None
            for path in (None, outside, "../tickets.csv", "link.csv", "linked/tickets.csv"):
                with pytest.raises(
                    DatasetError, match=r"is outside the project .* copy it into the project"
                ):
                    study.review.correct("2", "pay", path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.csv")} == before
    assert not list(tmp_path.rglob("*.corrections.jsonl"))


def test_rows_that_came_from_no_file_are_not_looked_for_by_name(lab: Lab) -> None:
    """A list has no file, whatever is called like it; a file of the project may be named, and only
    its own row changes.
    """
    rows = [{"id": "1", "q": "a", "expected": "x"}, {"id": "2", "q": "b", "expected": "bug"}]
    path = placed(lab, "list.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    before = path.read_bytes()
    study = evaluated(lab, Dataset.read(rows))
    assert study.review.dataset_file() is None
    with pytest.raises(
        DatasetError, match=r"was not read from a file that is known here; name the file"
    ):
        study.review.correct("2", "pay")
    assert path.read_bytes() == before
    study.review.correct("2", "pay", "list.jsonl")
    assert path.read_bytes() == before.replace(b'"bug"', b'"pay"')


def test_an_origin_of_an_imported_store_leads_nowhere_else(
    lab: Lab, make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """Paths that leave the project, and documents of another shape, are no way to a file."""
    secret = tmp_path / "secret.csv"
    secret.write_bytes(b"key,q,gold\n2,b,bug\n")
    path = placed(lab, "t.csv", secret.read_bytes())
    study = evaluated(lab, Dataset.read(path, **ROLES))
    [(origin,)] = lab.store.rows("select origin from datasets")
    for number, odd in enumerate(
        ("../secret.csv", str(secret), "[]", "{", '{"path": 1}', "nested")
    ):
        text = (
            origin.replace('"t.csv"', json.dumps(odd))
            if odd.endswith(".csv")
            else odd
            if odd != "nested"
            else "[" * 100_000
        )
        other = make_lab(f"other{number}")
        head = {
            "dataset_fingerprint": study.record.dataset.fingerprint,
            "name": "t",
            "n_examples": 1,
            "origin": text,
        }
        rows = {
            "datasets": [head],
            "examples": lab.store.frame("select * from examples").to_dict("records"),
        }
        other.store.append_all(
            {
                **rows,
                "studies": [
                    {
                        "id": "s",
                        "name": "look",
                        "prompt": "p",
                        "design": json.dumps(study.record.document()),
                    }
                ],
            }
        )
        with pytest.raises(DatasetError, match="outside the project|not read from a file"):
            other.study("look").review.correct("2", "pay")
    assert secret.read_bytes() == b"key,q,gold\n2,b,bug\n"


def test_a_file_that_changes_meanwhile_or_may_not_be_written_is_left_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written was shown; permissions stand, also those of a file that was replaced."""
    path = placed(lab, "t.csv", FORMS["comma"].data)
    path.chmod(0o640)
    study = evaluated(lab, Dataset.read(path, **ROLES))
    shown = study.review.correct("2", "pay", write=False)
    path.write_bytes(FORMS["comma"].data + b"4,d,x,\n")
    with pytest.raises(DatasetError, match="was changed just now by somebody else, and was left"):
        shown.write()
    assert path.read_bytes() == FORMS["comma"].data + b"4,d,x,\n"
    monkeypatch.setattr(
        os, "access", lambda path, mode: False
    )  # who tests as root may write everything
    with pytest.raises(DatasetError, match="may not be written by you"):
        study.review.correct("2", "pay")
    monkeypatch.undo()
    study.review.correct("2", "pay")
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(path.parent).count(path.name) == 1
    assert not [name for name in os.listdir(path.parent) if name.endswith(".writing")]


@pytest.mark.parametrize("beside", [False, True], ids=["in the file", "beside it"])
def test_of_two_corrections_at_once_none_is_lost(
    lab: Lab, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one comes between the first one's look at the file and its change: it waits, and
    is then refused, since what it was made for is no longer there.
    """
    path = placed(lab, "t.jsonl", LINES.encode())
    roles = {**ROLES, "expected": None} if beside else ROLES
    study = evaluated(lab, Dataset.read(path, **roles))
    first, second = (study.review.correct(id, f"pay {id}", write=False) for id in "23")
    said: list[str] = []

    def late() -> None:
        with pytest.raises(DatasetError, match="was changed just now") as refused:
            second.write()
        said.append(str(refused.value))

    other = threading.Thread(target=late)
    sync = os.fsync

    def synced(fd: int) -> None:
        if not other.ident:
            other.start()
            other.join(0.3)
        sync(fd)

    monkeypatch.setattr(os, "fsync", synced)
    first.write()
    other.join()
    assert said
    golden = {each.id: each.expected for each in Dataset.read(path, **roles).examples}
    assert golden["2"] == "pay 2"
    study.review.correct("3", "pay 3")
    golden = {each.id: each.expected for each in Dataset.read(path, **roles).examples}
    assert (golden["2"], golden["3"]) == ("pay 2", "pay 3")


def test_the_view_shows_the_line_before_it_writes_it(lab: Lab) -> None:
    """What is typed is shown as the lines that would change; the button writes just that; a refusal
    stands there as a sentence.
    """
    placed(lab, "t.csv", FORMS["comma"].data)
    evaluated(lab, Dataset.read(lab.project.root / "t.csv", **ROLES))
    view = lab.dashboard().open("Examples")
    view.at = [row.example_id for row in view.rows].index("2")
    view._draw(new=True)
    assert view.file.value.endswith("t.csv")
    assert view.change.value == ""
    view.golden.value = "<b>pay"
    assert "- 2,b,bug,bug\n+ 2,b,&lt;b&gt;pay,bug" in view.change.value
    assert (lab.project.root / "t.csv").read_bytes() == FORMS["comma"].data
    view.save.click()
    assert "- 2,b,bug,bug\n+ 2,b,&lt;b&gt;pay,bug" in view.change.value
    assert (lab.project.root / "t.csv").read_bytes() == FORMS["comma"].data.replace(
        b"b,bug,", b"b,<b>pay,"
    )
    view.file.value = "/etc/hostname"
    assert "is outside the project" in view.change.value


@pytest.mark.parametrize("answer", [["billing", "pay"], {"kind": "billing"}])
@pytest.mark.parametrize("file", ["data.csv", "data.tsv"])
def test_a_list_stands_beside_a_file_of_text(lab: Lab, file: str, answer: Any) -> None:
    """Any member of a list is right; its text in a cell had made every answer wrong."""
    comma = "," if file.endswith("csv") else "\t"
    path = lab.project.root / file
    path.write_text(f"id{comma}q{comma}expected\n1{comma}one{comma}a\n2{comma}two{comma}b\n")
    before = path.read_bytes()
    version = lab.prompt("c").save("{{q}}", model="m")
    study = lab.evaluate([version], Dataset.read(path), name="list")
    change = study.review.correct("2", answer)
    assert change.path.name == f"{file}.corrections.jsonl"
    assert "holds text" in change.why
    assert path.read_bytes() == before
    assert Dataset.read(path).get("2").expected == answer


@pytest.mark.parametrize("ending", ["xlsx", "parquet"])
def test_a_correction_is_of_its_column_and_its_row(lab: Lab, ending: str) -> None:
    """It had counted for another person's answers, and for other rows of the same ids."""
    path = lab.project.root / f"data.{ending}"

    def rows(text: str) -> None:
        frame = pandas.DataFrame(
            {
                "id": ["1", "2"],
                "q": [f"{text} 1", f"{text} 2"],
                "ann": ["a", "b"],
                "bob": ["a", "b"],
            }
        )
        if ending == "xlsx":
            frame.to_excel(path, index=False)
        else:
            frame.to_parquet(path)

    def answers(column: str, **more: Any) -> list[object]:
        return Dataset.read(path, expected=column, **{"inputs": ["q"], **more})["expected"]

    rows("old")
    version = lab.prompt("c").save("{{q}}", model="m")
    for column, answer in (("ann", "x"), ("bob", "y")):
        data = Dataset.read(path, expected=column, inputs=["q"])
        lab.evaluate([version], data, name=column).review.correct("2", answer)
        assert answers(column) == ["a", answer]
    assert answers("ann") == ["a", "x"]
    assert answers("ann", inputs={"text": "q"}) == ["a", "x"]  # another name of the same column
    notes = "".join(Dataset.read(path, expected="ann", inputs=["q"]).notes)
    assert "of another column: 1 (first: '2')" in notes
    rows("new")
    assert answers("ann") == ["a", "b"]
    notes = "".join(Dataset.read(path, expected="ann", inputs=["q"]).notes)
    assert "their rows ask something else by now: 1 (first: '2')" in notes
    study = lab.evaluate([version], Dataset.read(path, expected="ann", inputs=["q"]), name="new")
    study.review.correct("2", "z")
    assert (answers("ann"), answers("bob")) == (["a", "z"], ["a", "b"])
