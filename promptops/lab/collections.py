"""All prompts and all studies of a lab: what they are called, and each by its name, with completion in a notebook."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import StudyError
from ..policy import Policy
from .prompt import Prompt
from .study import Study

if TYPE_CHECKING:
    from pandas import DataFrame

    from .lab import Lab

__all__ = ["Prompts", "Studies"]

_HEAD = "select id, name, prompt, config, created_at from studies"


class Prompts:
    """The prompts by name: `lab.prompt("support-triage")`, or `lab.prompt["` and the tab key."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def __call__(self, name: str) -> Prompt:
        """The prompt of that name; a new one comes to be with its first saved version. Raises VersionError for a bad name."""
        from ..registry.document import checked_name

        return Prompt(self._lab, checked_name(name))

    __getitem__ = __call__

    @property
    def names(self) -> list[str]:
        return list(self._lab._registry.names())

    @property
    def policy(self) -> Policy:
        """The registry's default policy, for prompts that have none of their own. Assign a Policy, or a map of its fields, to set it."""
        return self._lab._registry.policy()

    @policy.setter
    def policy(self, policy: Policy | Mapping[str, Any] | None) -> None:
        self._lab._registry.set_policy(None if policy is None else Policy.of(policy))

    def __iter__(self) -> Iterator[Prompt]:
        return (Prompt(self._lab, name) for name in self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def _ipython_key_completions_(self) -> list[str]:
        return self.names

    def __repr__(self) -> str:
        return f"<{len(self)} prompts: {', '.join(self.names) or 'none yet'}>"

    def _repr_html_(self) -> str:
        from ..views.overview import prompts_html

        return prompts_html(self._lab)


class Studies:
    """The studies, newest first."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    @property
    def frame(self) -> DataFrame:
        """One row a study: name, prompt, arms, examples, runs, last event, created_at, id."""
        return self._lab.store.frame(
            "select s.name, s.prompt, json_array_length(s.config, '$.arms')::int as arms, (s.config->>'$.dataset.name') as dataset, "
            "(s.config->>'$.dataset.n')::int as examples, (select count(*) from study_runs m where m.study_id = s.id) as runs, "
            '(select arg_max(e.event, e."at") from study_events e where e.study_id = s.id) as status, s.created_at, s.id from studies s order by s.created_at desc'
        )

    def __getitem__(self, name: str | int) -> Study:
        """By name, id, the beginning of an id, or place (0 is the newest). Raises StudyError, which names what is near."""
        if isinstance(name, int):
            rows = self._lab.store.rows(f"{_HEAD} order by created_at desc")
            if not -len(rows) <= name < len(rows):
                raise StudyError(
                    f"there is no study {name}; there are {len(rows)}, the newest is 0."
                )
            return self._made(rows[name])
        if not isinstance(name, str):
            raise StudyError(
                f"a study is found by its name, its id or its place, not by {type(name).__name__}."
            )
        for study in self._lab._live.values():
            if name in (study.id, study.name):
                return study
        rows = self._lab.store.rows(
            f"{_HEAD} where id = ? or name = ? or (length(?) > 5 and starts_with(id, ?)) order by created_at desc limit 1",
            [name] * 4,
        )
        if not rows:
            names = self.names
            near = difflib.get_close_matches(name, names, 1) or names[:3]
            raise StudyError(
                f"there is no study {name!r}; {'did you mean ' + ', '.join(map(repr, near)) if near else 'evaluate one first'}."
            )
        return self._made(rows[0])

    def recorded(self, id: str) -> Study | None:
        """The study of that id as the store has it; None where it has none."""
        rows = self._lab.store.rows(f"{_HEAD} where id = ?", [id])
        return self._made(rows[0]) if rows else None

    def _made(self, row: tuple[Any, ...]) -> Study:
        id_, name, prompt, config, created = row
        return self._lab._live.get(id_) or Study(
            self._lab, id_, name, prompt, json.loads(config), created=str(created)
        )

    @property
    def names(self) -> list[str]:
        return [
            row[0]
            for row in self._lab.store.rows("select name from studies order by created_at desc")
        ]

    def __iter__(self) -> Iterator[Study]:
        return (
            self._made(row) for row in self._lab.store.rows(f"{_HEAD} order by created_at desc")
        )

    def __len__(self) -> int:
        return int(self._lab.store.rows("select count(*) from studies")[0][0])

    def _ipython_key_completions_(self) -> list[str]:
        return self.names

    def __repr__(self) -> str:
        return f"<{len(self)} studies: {', '.join(self.names[:8]) or 'none yet'}>"

    def _repr_html_(self) -> str:
        from ..views.overview import studies_html

        return studies_html(self)
