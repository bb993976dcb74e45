"""Live rows as examples: a failure in production becomes a test, once per content, with the
correction that somebody gave as its golden answer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..dataset import Dataset
from ..dataset.example import RESERVED, Example
from ..errors import DatasetError, PromptOpsError
from ..observe.live_call import CAP, is_cut
from ..plain_file import NOT_A_FILE, is_odd, replacing
from ..spool.locks import alone
from ..store import Store
from .queries.live_judged import examples_among, feedback_not_labelled, values_kept

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "NO_CONTENT",
    "cut_texts",
    "example_of",
    "labels_of_feedback",
    "recorded_examples",
    "rows_of",
    "to_dataset",
]

NO_CONTENT = "the application keeps no content: observe(client, content=...) keeps a share of it"


def example_of(row: Mapping[str, Any]) -> Example | None:
    """The example of a live row; None if its values were not kept.

    Its id is of its inputs' content; cluster: its session; expected: the correction, where one was
    given. A dataset has columns of its own, so a variable of such a name is left out.
    """
    values = _values_of(row)
    if values is None:
        return None
    history = values.pop("history", None) or () if _talk(values.get("history")) else ()
    inputs = {name: value for name, value in values.items() if name not in RESERVED}
    try:
        name = tagged("e1", [inputs, list(history)])
    except PromptOpsError:
        return None
    seen = "reviewed" if row.get("reviewed") else None
    tags = ["live", *filter(None, [seen, row.get("failure"), row.get("label")])]
    return Example(
        name,
        inputs,
        row.get("correction"),
        cluster=row.get("session"),
        tags=tuple(tags),
        history=tuple(history),
    )


def _values_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        values = json.loads(row.get("values") or "null")
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def cut_texts(row: Mapping[str, Any]) -> set[str]:
    """The columns of a row's example of which a part was not recorded."""
    columns = {**(_values_of(row) or {}), "expected": row.get("correction")}
    return {name for name, value in columns.items() if is_cut(value)}


def _talk(value: object) -> bool:
    """Whether it is a conversation, and not the text of a variable that is named like one."""
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _unfit(row: Mapping[str, Any]) -> str:
    """Why a row makes no example, as the end of a sentence; "" if it makes one."""
    values = _values_of(row)
    if values is None:
        return "had no content"
    own = [
        name
        for name in values
        if name in RESERVED and not (name == "history" and _talk(values[name]))
    ]
    if own:
        return (
            f"fill a variable named {own[0]!r}, which is a column of every dataset: rename the"
            " variable in the prompt"
        )
    if cut_texts(row):
        return f"had a text of more than {CAP:,} characters, the rest of which was not recorded"
    return "" if example_of(row) else "had no content"


def to_dataset(
    rows: Sequence[Mapping[str, object]], path: Path
) -> tuple[Dataset, int, Mapping[str, int]]:
    """Add the rows to a .jsonl file of examples, which is created if it is missing.

    Returns the dataset, how many examples are new, and why the other rows make none -> how many. A
    row whose inputs the file has already adds nothing but the correction that it lacks; every other
    byte of the file stays. Raises DatasetError if no row makes an example, or the file has columns
    of its own.
    """
    if path.suffix != ".jsonl":
        raise DatasetError(f"{path.name} cannot be appended to; give a path that ends in .jsonl.")
    unfit = [_unfit(row) for row in rows]
    left = Counter(filter(None, unfit))
    found = [
        example
        for row, why in zip(rows, unfit, strict=True)
        if not why and (example := example_of(row))
    ]
    why = next((why for why in left if why != "had no content"), "")
    if not found and why and (why.startswith("fill ") or not path.exists()):
        raise DatasetError(
            f"none of {len(rows):,} live rows makes an example: {left[why]:,} {why}."
        )
    if not found and not path.exists():
        raise DatasetError(
            f"none of {len(rows):,} live rows has the values that it was called with: {NO_CONTENT}."
        )
    if is_odd(path):
        raise DatasetError(
            f"{path.name} cannot be added to ({NOT_A_FILE}); give the path of a file."
        )
    if path.is_symlink():
        raise DatasetError(
            f"{path.name} is a link, and is not written through; give the path of the file that it"
            " leads to."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
        with alone(path, 60.0):  # somebody else may add to it now
            new = _added(path, found)
            return Dataset.read(path), new, left
    except OSError as error:
        raise DatasetError(
            f"{path.name} was not changed ({error.strerror or error}); add the calls again."
        ) from None


def _added(path: Path, found: Sequence[Example]) -> int:
    """Add the examples as lines of their own, and fill in corrections; returns how many are new."""
    lines = _lines(path)
    known = {example.id: example for example in Dataset.read(path)} if lines else {}
    new: dict[str, Example] = {}
    filled: dict[str, object] = {}
    for example in found:
        before = new.get(example.id) or known.get(example.id)
        if before is not None and (before.expected is not None or example.expected is None):
            continue
        if example.id in known:
            filled.setdefault(example.id, example.expected)
        else:
            new[example.id] = example
    if not new and not filled:
        return 0
    text = b""
    for line, document in lines:
        if document.get("id") in filled:
            document["expected"] = filled[document["id"]]
            line = _line(document, line[len(line.rstrip(b"\r\n")) :])
        text += line
    if text and not text.endswith(b"\n"):
        text += b"\n"
    whole = Dataset.of([*known.values(), *new.values()], name=path.stem)  # with their splits
    text += b"".join(_line(each.document(), b"\n") for each in whole if each.id in new)
    with replacing(path) as beside:
        Path(beside).write_bytes(text)
    return len(new)


def _line(document: Mapping[str, object], end: bytes) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode() + end


def _lines(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """Each line of a file of examples, with its document.

    Raises DatasetError if the lines are not examples: ours would not fit among them.
    """
    found: list[tuple[bytes, dict[str, Any]]] = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            document = json.loads(line) if line.strip() else {"inputs": {}}
        except (ValueError, RecursionError):
            document = None
        if not (isinstance(document, dict) and isinstance(document.get("inputs"), dict)):
            raise DatasetError(
                f"{path.name} is not a file of examples as live calls are added to (a line with id,"
                " inputs and expected each); give another path, such as data/from_live.jsonl."
            )
        found.append((line, document))
    return found


def recorded_examples(store: Store, calls: Iterable[str]) -> list[str]:
    """Ids of the recorded examples that were made of these live rows."""
    texts = values_kept(store, sorted(calls))
    made = [example.id for text in texts if (example := example_of({"values": text}))]
    return examples_among(store, made)


def rows_of(found: DataFrame) -> list[dict[str, Any]]:
    """The rows as dicts, unknown as None."""
    import pandas as pd

    return [
        {str(name): None if _missing(pd, value) else value for name, value in row.items()}
        for row in found.to_dict("records")
    ]


def _missing(pandas: Any, value: Any) -> bool:
    return bool(not isinstance(value, (Sequence, Mapping)) and pandas.isna(value))


def labels_of_feedback(store: Store, runs: Sequence[str]) -> int:
    """Votes and scores on these live rows as labels of people, each once.

    A vote is "pass" (1 good, 0 bad); a score counts if it is from 0 to 1. Returns how many are
    new.
    """
    rows = [
        {
            "id": f"b-{word}",
            "run_id": run,
            "rater": by,
            "kind": "pass" if kind == "good" else "score",
            "value": value,
            "note": note,
            "labelled_at": at.isoformat(),
        }
        for word, run, kind, value, note, by, at in feedback_not_labelled(store, runs)
    ]
    if rows:
        store.append("labels", rows)
    return len(rows)
