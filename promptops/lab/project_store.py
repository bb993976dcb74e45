"""The store of a project, whose one door takes in every file that this product hands out, and knows
studies as people call them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import StoreError, StudyError
from ..markup import count, shorten
from ..store import Store
from ..store.export import export_rows
from ..store.purges import Purged
from ..store.recorder import say
from ..study.descent import template_in
from ..study.queries.studies import id_of
from ..study.recorded_study import unreadable
from ..study.searched_rows import searched_beside
from ..study.study_record import StudyRecord, splits_in

if TYPE_CHECKING:
    from ..scale.team_store import TeamStore
    from ..store.purges import Doomed, Named
    from .study import Study

__all__ = ["ProjectStore"]


class ProjectStore(Store):
    """`Store`, which also imports the labels of reports, and finds studies by their names."""

    def share_at(self, address: str | None, who: Callable[[], str]) -> TeamStore | None:
        """Share this store at a team's address; None: the address where it is already shared.

        Returns the team's store; None if this one is not shared.

        Raises StoreError if the address is invalid, MissingExtra if its packages are missing.
        """
        from ..scale.membership import Membership

        if address is None:
            try:
                member = Membership.of(self.folder)
            except StoreError as error:
                say(f"{error} Until then nothing is shared, and a purge reaches this store alone.")
                member = None
            if member is None:
                return None
            address = member.address
        from ..scale.team_store import join_team

        return join_team(self, address, who)

    def export(self, path: str | os.PathLike[str], study: object = None) -> dict[str, int]:
        """Write everything, or one study (a Study, its name or id) with its runs, scores and
        labels, and what searches chose on its examples, to one file; returns table -> rows.

        Raises StudyError if the study is not in this store.
        """
        named, target = self._id_of(study), Path(path)
        if named is None or target.suffix == ".parquet":
            return super().export(target, named)
        beside = searched_beside(self, named)
        clean = self._redactor.clean
        return self.access.answer("", lambda con: export_rows(con, target, named, clean, beside))

    def write_study(
        self,
        study: Study,
        path: str | os.PathLike[str],
        form: Literal["promptfoo", "inspect", "otlp"] = "promptfoo",
    ) -> list[Path]:
        """Write a study's runs and scores in another tool's format; `lab.import_from` (and
        `lab.live` for spans) reads them back to the same ids.

        Args:
            study: the study; if it is running, the call waits for it.
            path: the file; for Inspect, one log per version is written, named by its label.
            form: "promptfoo" results, "inspect" logs, or "otlp" spans as JSON.

        Returns:
            The files written.

        Raises:
            StudyError: if it is not a study, the format is unknown, or nothing is answered yet.
        """
        from ..exchange.write_runs import write_runs

        if not hasattr(study, "recorded"):
            raise StudyError(
                f"{str(study)[:80]!r} is not a study; pass what lab.evaluate(...) or"
                " lab.study(name) returns."
            )
        return write_runs(study.wait().recorded, Path(path), form)

    def purge(
        self,
        examples: Iterable[str] = (),
        *,
        live: Iterable[str] = (),
        study: object = None,
        before: str | None = None,
        table: Literal["live"] | None = None,
    ) -> Purged:
        """`Store.purge`, also of the folders that applications record to; study: a Study, its name
        or id.

        Raises StudyError if the study is not in this store, and what `Store.purge` raises.
        """
        from ..monitor.ingest import take_folder

        for folder in self._recorded():
            take_folder(self, folder)  # what was not taken in yet could not be found
        named = self._id_of(study)
        return super().purge(examples, live=live, study=named, before=before, table=table)

    def purge_copies(self, named: Named, doomed: Doomed) -> Purged:
        """Remove such rows from the folders that applications record to on this machine."""
        from ..monitor.live_rows import recorded_examples
        from ..monitor.live_sources import known_sources
        from ..monitor.record_folder import cut_folder

        both = [(named, doomed.runs)]
        owed = [line for folder in self._recorded() for line in cut_folder(folder, both)]
        files = [path for path in known_sources(self) if path.is_file()] if doomed.runs else []
        left = [
            f"live rows were read from {path}, which may hold some of these; it is not changed."
            for path in files
        ]
        made = recorded_examples(self, doomed.runs) if named.live else []
        if made:
            left.append(
                f"{count(len(made), 'example')} made of these calls, and the answers to them, are"
                f" kept; remove their rows from the dataset's file, and purge them by id:"
                f" {shorten(', '.join(made), 200)}."
            )
        return Purged(left=(*owed, *left), owed=tuple(owed))

    def _recorded(self) -> list[Path]:
        """Folders of live rows that are not this store's own."""
        from ..monitor.live_sources import known_sources, live_source

        named = filter(None, [live_source()])
        found = {path.resolve() for path in (*named, *known_sources(self)) if path.is_dir()}
        return sorted(found - {self.folder.resolve()})

    def import_(self, path: str | os.PathLike[str]) -> dict[str, int]:
        """Import a file that `export` wrote, or the labels that a reviewer downloaded from a
        report; returns table -> number of new rows.

        Raises StoreError if an export is damaged, newer or not an export, StudyError if a line is
        not a label of a study in this store; in both cases nothing is imported.
        """
        from ..review.label_files import holds_labels, import_labels

        source = Path(path)
        if not holds_labels(source):
            return super().import_(source)
        new = import_labels(self, source)
        return {"labels": new} if new else {}

    def oddity(self, table: str, row: Mapping[str, Any]) -> str | None:
        """As in `Store`; a study must also have the design of one, and so must a search, and a
        version its content.
        """
        fault = super().oddity(table, row)
        if fault is not None:
            return fault
        if table == "studies":
            try:
                StudyRecord.from_row(row["id"], row["name"], row["prompt"], row["design"])
            except StudyError as error:
                return str(error)
        if table == "versions" and template_in(row["document"]) is None:
            return "document is not the content of a version"
        odd = table == "optimizations" and not splits_in(row["design"])
        return "design names no splits" if odd else None

    def verify(self) -> list[str]:
        """As in `Store`; studies that cannot be read are listed too, and the others are checked."""
        found = super().verify()
        odd = unreadable(self).items()
        return [*found, *(f"{why} lab.store.purge(study={id!r}) removes it." for id, why in odd)]

    def _id_of(self, study: Any) -> str | None:
        if study is None or hasattr(study, "id"):
            return study and str(study.id)
        found = id_of(self, study)
        if found is None:
            raise StudyError(
                f"there is no study {study!r} in {self.folder}; `lab.studies` lists those that are."
            )
        return found
