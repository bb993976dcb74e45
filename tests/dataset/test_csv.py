"""CSV of any delimiter and encoding: text as written, and every fault with its file and line."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptops.dataset import Dataset
from promptops.errors import DatasetError


def written(tmp_path, data, name="odd.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", "\x1f"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_delimiter_encoding_and_line_end(tmp_path, delimiter, encoding, end):
    """The same cells come out of each of 147 ways to write them; whatever had to be guessed is
    said.
    """
    cells = [
        ["id", "ticket", "expected"],
        ["1", "Café geschlossen, spät; ein|zwei", "“ja”"],
        ["2", "zwei\nZeilen", "nein"],
        ["3", ' "x" ', "–"],
    ]
    text = (
        end.join(
            delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in cells
        )
        + end
    )
    data = Dataset.read(written(tmp_path, text.encode(encoding)))
    assert [[e.id, e.inputs["ticket"], e.expected] for e in data] == cells[1:]
    notes = " ".join(data.notes)
    assert ("separated by" in notes) == (delimiter != ",")
    assert ("Windows-1252" in notes) == (encoding == "cp1252")
    assert ("UTF-16" in notes) == (encoding.startswith("utf-16"))


def test_windows_1252_shows_how_a_letter_was_read(tmp_path):
    """A guessed encoding is shown by the first text that depends on it."""
    data = Dataset.read(written(tmp_path, "ticket;expected\nplain;a\nCafé zu;b\n".encode("cp1252")))
    assert any("'Café zu;b'" in sentence and "line 3" in sentence for sentence in data.notes)


def test_a_file_of_two_encodings_is_refused(tmp_path):
    """Lines that are UTF-8 beside lines that are not are a fault, never mojibake; the line is
    named.
    """
    mixed = "ticket,expected\nStraße größer,a\nÄrger über Öl,b\n".encode() + "Café,c\n".encode(
        "cp1252"
    )
    with pytest.raises(
        DatasetError,
        match=r"odd\.csv:4 is not UTF-8, though other lines are; save the whole file as UTF-8",
    ):
        Dataset.read(written(tmp_path, mixed))


def test_bytes_of_no_encoding_are_refused(tmp_path):
    """A byte that Windows-1252 leaves open is not text; neither are zero bytes nor a disguised
    pickle.
    """
    with pytest.raises(DatasetError, match=r"odd\.csv:3 is not UTF-8"):
        Dataset.read(written(tmp_path, b"ticket,expected\na,b\nc\x81\xe9,d\n"))
    with pytest.raises(
        DatasetError, match=r"odd\.csv:2 is not UTF-8 and does not look like Windows-1252"
    ):
        Dataset.read(written(tmp_path, "ticket,expected\nПривет,как ваши дела\n".encode("cp1251")))
    with pytest.raises(DatasetError, match="zero bytes and is not a text file"):
        Dataset.read(written(tmp_path, b"ticket,expected\n\0\x01\0\0\x02\0\0\0\0\x05\x06,b\n"))
    with pytest.raises(DatasetError, match="pickle under another name"):
        Dataset.read(written(tmp_path, b"\x80\x04\x95\x05a,b\n"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "ticket,expected\na,b\nc,d,e\n",
            (
                r"odd\.csv:3 has 3 cells under 2 columns \(ticket, expected\); put cells that hold"
                r" ',' between double quotes"
            ),
        ),
        (
            "ticket,expected\na,b\nc\n",
            r"odd\.csv:3 has 1 cells under 2 columns .*add the missing ones",
        ),
        (
            'ticket,expected\n"a\nb",x\n"never closed,y\nz,w\n',
            r"odd\.csv:4: a double quote opens a cell here and nothing closes it",
        ),
        ('ticket,expected\na,b\n"a"b,c\n', r"odd\.csv:3: text follows a closing double quote"),
        ("ticket,ticket\na,b\n", r"odd\.csv:1 names the column 'ticket' twice"),
        ("ticket,expected\n", "odd holds no examples"),
        ("", r"odd\.csv is empty"),
        ("\n\n", "no header|holds no examples"),
        (
            "id,ticket\n7,a\n8,b\n7,c\n",
            (
                r"odd\.csv:4 has the id '7', which odd\.csv:2 has too; make them differ, or pass"
                r" id=False"
            ),
        ),
    ],
)
def test_a_fault_names_file_and_line(tmp_path, text, fault):
    """Ragged rows, open quotes, doubled headers, nothing at all, doubled ids: each says where and
    what to do.
    """
    with pytest.raises(DatasetError, match=fault):
        Dataset.read(written(tmp_path, text))


def test_line_numbers_count_lines_not_records(tmp_path):
    """After a cell of several lines, places are still lines of the file."""
    data = 'id,ticket\n1,"a\nb\nc"\n\n2,d\n2,e\n'
    with pytest.raises(DatasetError, match=r"odd\.csv:7 has the id '2', which odd\.csv:6 has too"):
        Dataset.read(written(tmp_path, data))


def test_one_column_needs_no_delimiter(tmp_path):
    """A file of one column may hold commas and semicolons in its cells."""
    data = Dataset.read(written(tmp_path, "ticket\nHello, you; there\nSecond, one\n"))
    assert data["ticket"] == ["Hello, you; there", "Second, one"]


def test_the_sep_line_of_excel_decides(tmp_path):
    """`sep=;` names the delimiter and is not a row; line numbers count it."""
    data = written(tmp_path, "sep=;\nticket;expected\na,b;c\n")
    assert Dataset.read(data)["ticket"] == ["a,b"]
    with pytest.raises(DatasetError, match=r"odd\.csv:4 has 1 cells"):
        Dataset.read(written(tmp_path, "sep=;\nticket;expected\na;b\nc\n"))


def test_tsv_with_commas(tmp_path):
    """Tabs win over commas that are in the text."""
    assert Dataset.read(written(tmp_path, "a,b\tc\nx,y\tz\n1,2\t3\n", "t.tsv")).columns == (
        "id",
        "a,b",
        "c",
        "split",
    )


def test_cells_stay_text(tmp_path):
    """Numbers, leading zeros and booleans are text as written; a blank expected is none; a blank
    input is reported.
    """
    data = Dataset.read(written(tmp_path, "zip,n,expected\n00501,1e3,TRUE\n,7,\n"))
    assert [dict(e.inputs) for e in data] == [{"zip": "00501", "n": "1e3"}, {"zip": "", "n": "7"}]
    assert data["expected"] == ["TRUE", None]
    assert "1 of 2 rows have nothing in 'zip' (first: odd.csv:3)." in data.notes
    assert "1 of 2 rows have no expected answer (first: odd.csv:3)." in data.notes


def test_an_escaped_formula_is_restored_and_said(tmp_path):
    """The apostrophe of an export is taken off; no other apostrophe is."""
    data = Dataset.read(written(tmp_path, "ticket,expected\n'=HYPERLINK(1),'tis\n''+1,b\n"))
    assert data["ticket"] == ["=HYPERLINK(1)", "'+1"]
    assert data["expected"] == ["'tis", "b"]
    assert any(
        "apostrophe" in sentence and "taken off: 2 (first: line 2)" in sentence
        for sentence in data.notes
    )


def test_unnamed_columns_are_left_out_and_said(tmp_path):
    """The index that pandas writes is not an input; trailing delimiters are no column."""
    data = Dataset.read(written(tmp_path, ",ticket,expected\n0,a,b\n1,c,d,\n"))
    assert data.columns == ("id", "ticket", "expected", "split")
    assert any("without a name was left out" in sentence for sentence in data.notes)


def test_a_long_cell_is_read(tmp_path):
    """A document of a million characters in one cell is read whole."""
    data = Dataset.read(written(tmp_path, f"doc,expected\n{'x' * 1_000_000},b\n"))
    assert len(data[0].inputs["doc"]) == 1_000_000


def test_a_mark_in_utf16_is_recognised(tmp_path):
    """UTF-16 with its mark, as Excel's "Unicode text" writes it."""
    path = written(
        tmp_path,
        codecs.BOM_UTF16_LE + "ticket\texpected\nñandú\tsí\n".encode("utf-16-le"),
        "excel.txt",
    )
    assert Dataset.read(path)["expected"] == ["sí"]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=200)
    | st.text(alphabet="a1,;\t|\"'=\n\r é{}[]:\\", max_size=80).map(str.encode),
    st.sampled_from([".csv", ".tsv", ".txt", ".jsonl", ".json", ".xlsx", ".parquet"]),
)
def test_any_bytes_are_read_or_refused_with_a_sentence(tmp_path, data, ending):
    """Whatever a file holds, reading gives a dataset that can be shown, or a DatasetError of one
    short sentence.
    """
    path = written(tmp_path, data, f"f{ending}")
    try:
        read, refused = Dataset.read(path), ""
    except DatasetError as error:
        read, refused = None, str(error)
    assert (read is None) == bool(refused)
    assert len(refused) < 500
    assert "\n" not in refused
    if read is not None:
        assert len(read) > 0
        assert repr(read)
        assert read._repr_html_()
        assert read.fingerprint.startswith("d1-")
