"""What a promotion rests on: per-example outcomes of both arms, the policy, the plan and the
figures, as one file.

Form e1 (release 0.1) has former names of some fields. It is read for good, by `from_document`, and
`document` gives back what was written, so that its digest is the one that the deployment cites.

The bundle is committed beside the registry and its digest is in the deployment, so that anybody
with the clone recomputes every number without the store, a key or the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .canonical import MAX_INTEGER, canonical, digest
from .errors import RegistryCorrupt
from .evidence_shape import evidence_fault
from .plain_file import read_plain
from .policy import by_former_names, renamed

__all__ = ["FOLDER", "FORM", "Evidence"]

FORM = "e2"
_FORMS = ("e1", FORM)
_FORMER = {"measures": "metrics"}  # name of a field in form e1 -> its name today
_MOST = 256 << 20  # bytes of a bundle: one of a million examples has a third of it
FOLDER = "promptops.evidence"  # beside the registry file


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison as it was when somebody promoted on it.

    examples: ids, n of them, in the order of every list below; clusters: one label per example, or
        None;
    scores: scorer name -> {"candidate": [...], "baseline": [...]}: mean outcome over repeats, in
    [0, 1], None if unscored ("baseline" is absent on a first deployment); metrics: "cost"
    (USD), "latency" (ms), "tokens" likewise;
    counts: arm -> {"attempted", "scored", "failed"} runs, by the primary; scorers: name ->
        {"version", "kind", "calibrated"};
    repeats: per arm; asked: arm -> repeats attempted an example, one number where all are equal
    (None: the example is not one of that arm); tallies: scorer or measure -> arm -> {"binary":
    every outcome was 0 or 1; "attempted", where other than asked;
    "scored": repeats with an outcome, where some but not all have one; "variance": between the
    repeats, where it does not follow from these}; figures: measure -> what was promoted on, number
    by number; verdict: {"decision", "reasons", "next", "checks"};
    rule: how the verdict was asked for ({"planned", "p_better", "peeking", "share",
        "passed_over"}); labels: arm -> how people know it.
    """

    prompt: str
    candidate: str
    baseline: str | None
    dataset: Mapping[str, Any]  # {"name", "fingerprint", "split"}
    study: str
    policy: Mapping[str, object]
    primary: str
    examples: tuple[str, ...]
    scores: Mapping[str, Mapping[str, tuple[float | None, ...]]]
    counts: Mapping[str, Mapping[str, int]]
    scorers: Mapping[str, Mapping[str, Any]]
    figures: Mapping[str, object]
    verdict: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, tuple[float | None, ...]]] = field(default_factory=dict)
    clusters: tuple[str, ...] | None = None
    repeats: Mapping[str, int] = field(default_factory=dict)
    asked: Mapping[str, object] = field(default_factory=dict)
    tallies: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    rule: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    plan: Mapping[str, object] | None = None
    # golden labels and answers as places in "labels": see analysis/recompute.py; {} if none
    classes: Mapping[str, object] = field(default_factory=dict)
    # tag -> places of its examples, of the tags that a verdict may rest on; {} if none
    tags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    # how often each example is asked, () if each counts once
    weights: tuple[float, ...] = ()
    notes: tuple[
        str, ...
    ] = ()  # beside the verdict: recorded on different dates, not split-tested, ...
    made_at: str = ""
    # the newest answer or score that it rests on, UTC; left out of the document where unknown
    measured_at: str = ""
    toolkit: str = ""  # release that made it
    form: str = FORM  # in which it was written; "e1" is that of 0.1

    @property
    def decision(self) -> str:
        """promote, reject or inconclusive."""
        return str(self.verdict["decision"])

    def document(self) -> dict[str, Any]:
        """JSON-ready: the form's tag and every field."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if not self.measured_at:
            del fields["measured_at"]  # bundles of before this field keep their digest
        for name in ("classes", "tags", "weights"):
            if not fields[name]:
                del fields[name]
        if self.form == "e1":
            fields["policy"] = by_former_names(fields["policy"])
            former = {new: old for old, new in _FORMER.items()}
            fields = {former.get(name, name): value for name, value in fields.items()}
        return fields

    @property
    def digest(self) -> str:
        """64 hex digits over the canonical document: what the deployment cites."""
        return digest(self.document())

    def write(self, registry: Path) -> Path:
        """Write the bundle beside the registry file, once; its name is its digest.

        Returns its path.
        """
        import os
        import tempfile

        folder = registry.parent / FOLDER
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.digest[:32]}.json"
        if path.exists():
            return path
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(canonical(self.document()) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path

    @classmethod
    def read(cls, registry: Path, cited: str) -> Evidence:
        """The bundle that a deployment cites.

        Raises RegistryCorrupt if it is missing or was edited.
        """
        path = registry.parent / FOLDER / f"{cited[:32]}.json"
        try:
            document = json.loads(read_plain(path, most=_MOST), parse_int=_integer)
            intact = digest(document) == cited
        except FileNotFoundError:
            raise RegistryCorrupt(
                f"the evidence {cited[:12]} is missing at {path}; restore it from git, it is"
                " committed with the registry."
            ) from None
        except RecursionError:
            raise RegistryCorrupt(
                f"the evidence at {path} is nested too deeply to be a bundle of promptops;"
                " restore it from git."
            ) from None
        except (ValueError, OSError) as error:
            raise RegistryCorrupt(
                f"the evidence at {path} is not JSON ({error}); restore it from git."
            ) from None
        if not intact:
            raise RegistryCorrupt(
                f"the evidence at {path} was edited: its digest is no longer {cited[:12]}; restore"
                " it from git."
            )
        try:
            return cls.from_document(document)
        except RegistryCorrupt as error:
            raise RegistryCorrupt(f"{path}: {error}") from None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Evidence:
        """The evidence of what `document()` gave.

        Raises RegistryCorrupt if the form is unknown or a field has another shape.
        """
        if not isinstance(document, Mapping):
            raise RegistryCorrupt("evidence is a JSON object; restore it from git.")
        form = document.get("form")
        if form not in _FORMS:
            raise RegistryCorrupt(
                f"evidence has the format {form!r}, and this release reads {' and '.join(_FORMS)};"
                " install a newer promptops-toolkit."
            )
        if form == "e1":
            document = {_FORMER.get(name, name): value for name, value in document.items()}
            if isinstance(document.get("policy"), dict):
                document["policy"] = renamed(document["policy"])
        if fault := evidence_fault(document):
            raise RegistryCorrupt(
                f"evidence is out of shape: {fault}; restore it from git, or measure again."
            )
        known = {f.name for f in fields(cls)}
        values = {key: _frozen(value) for key, value in document.items() if key in known}
        return cls(**values)


def _integer(text: str) -> int | float:
    """A whole number as it was: canonical JSON writes the float 2e16 without a point, and no
    integer of our own is that large.
    """
    value = int(text)
    return value if abs(value) <= MAX_INTEGER else float(text)


def _frozen(value: object) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value
