"""A prompt is a name; its saved versions are numbered contents that can be asked, compared and
promoted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import StudyError, VersionError
from ..markup import plain_repr, shorten
from ..models.typed_schemas import response_format_of, tools_of
from ..policy import Policy
from ..signatures import explained_methods
from ..study.ask import Asker
from ..study.records import keep_version
from ..version import PromptVersion
from ..version.setting import check_numbers
from . import show
from .answer import Answer
from .prompt_checks import check_says_something, warn_form, warn_format, warn_unknown

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..study.project import Project
    from ..version.diff import VersionDiff
    from ..version.variable import Variable

__all__ = ["Prompt", "SavedVersion", "checked_env", "prompt_name"]


@explained_methods
class SavedVersion:
    """A version of a prompt with its display number; calling it calls its model once, and records
    the call.

    label: "v2"; version: the content; note, author, created: as recorded when it was saved.
    """

    def __init__(
        self,
        project: Project,
        prompt: str,
        number: int,
        version: PromptVersion,
        *,
        note: str = "",
        author: str = "",
        created: str = "",
    ) -> None:
        self.project = project
        self.prompt, self.number, self.version = prompt, number, version
        self.note, self.author, self.created = note, author, created

    @property
    def label(self) -> str:
        return f"v{self.number}"

    @property
    def id(self) -> str:
        return self.version.id

    @property
    def model(self) -> str | None:
        return self.version.model

    @property
    def settings(self) -> dict[str, object]:
        return self.version.settings

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.version.variables

    def but(self, *, note: str = "", **changes: object) -> SavedVersion:
        """Save a version that differs from this one, which is recorded as its parent.

        Args:
            note: the reason for the change.
            changes: messages, model, variables, tools, response_format or api, as in `save`; any
                other name is a setting, and None removes it.

        Raises:
            VersionError, TemplateError: if the changed version is invalid.
        """
        if "tools" in changes:
            changes["tools"] = tools_of(changes["tools"], changes.get("api", self.version.api))
        if "response_format" in changes:
            changes["response_format"] = response_format_of(changes["response_format"])
        version = self.version.but(**changes)
        number = _stored(self.project, self.prompt, version, note, [self.id])
        return Prompt(self.project, self.prompt)[number]

    def __call__(self, *, fresh: bool = False, **values: object) -> Answer:
        """Ask the model once. An equal question that was answered before costs nothing: the
        recorded answer comes back.

        fresh: ask again all the same. Raises RenderError, SetupError, or CallError once the retries
            end.
        """
        run, reused = Asker(self.project).call(
            self.version, values, prompt=self.prompt, label=self.label, fresh=fresh
        )
        return Answer(run, label=self.label, reused=reused)

    def messages(self, **values: object) -> list[dict[str, object]]:
        """The rendered messages."""
        return self.version.render(values)

    def request(self, **values: object) -> dict[str, Any]:
        """Keyword arguments for the version's client, as from `PromptVersion.request`."""
        return self.version.request(**values)

    def diff(self, other: SavedVersion | PromptVersion) -> VersionDiff:
        """The words and settings that changed from this version to `other`."""
        return self.version.diff(other.version if isinstance(other, SavedVersion) else other)

    def noise(
        self, dataset: object, scorers: Sequence[object], *, name: str | None = None
    ) -> object:
        """Measure the A/A noise floor: this version compared with itself on `dataset`, run twice.

        Returns the Comparison.
        """
        from .noise import noise_of

        return noise_of(self, dataset, scorers, name)

    def over_time(self, primary: str | None = None) -> DataFrame:
        """One row per study with this version, oldest first: the mean with its 95 % interval, and
        how many examples got better or worse.
        """
        from ..study.over_time import over_time

        return over_time(self.project, {self.id: self.label}, primary)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SavedVersion) and (self.prompt, self.id) == (
            other.prompt,
            other.id,
        )

    def __hash__(self) -> int:
        return hash((self.prompt, self.id))

    @plain_repr
    def __repr__(self) -> str:
        note = f" “{shorten(self.note, 200)}”" if self.note else ""
        model = shorten(self.model, 200)
        takes = ", ".join(map(repr, self.variables))
        return f"<{self.prompt} {self.label} {self.id[:11]} model={model}{note}, takes ({takes})>"

    def _repr_html_(self) -> str:
        return show.html(self)


def _stored(
    project: Project, name: str, version: PromptVersion, note: str, parents: Sequence[str] = ()
) -> int:
    """Save a version in the registry and keep it in the store; returns its number."""
    check_numbers(version.settings)
    warn_unknown(version)
    warn_form(version)
    check_says_something(name, version)
    warn_format(version)
    number = project.registry.save(name, version, note=note, author=project.author)
    keep_version(
        project.store,
        version,
        prompt=name,
        label=f"v{number}",
        note=note,
        parents=parents,
    )
    return number


@explained_methods
class Prompt:
    """A prompt, from `lab.prompt("support-triage")`: save versions, get them by number, see where
    each serves.
    """

    def __init__(self, project: Project, name: str) -> None:
        self.project = project
        self.name = name

    def save(
        self,
        messages: str | Sequence[Mapping[str, object]] | PromptVersion,
        *,
        model: str | None = None,
        note: str = "",
        variables: Mapping[str, object] | None = None,
        tools: Sequence[object] | None = None,
        response_format: object = None,
        api: str | None = None,
        **settings: object,
    ) -> SavedVersion:
        """Save a version under the next number; saving the same content again returns the same
        version and changes nothing.

        api: the request form: "chat" (None), "responses", "anthropic" or "gemini".
        tools, response_format: in the format of chat completions, or pydantic models, dataclasses,
        TypedDicts and (as tools) functions.
        settings: model settings such as temperature=0. Raises VersionError or TemplateError if the
            version is invalid or empty.
        """
        if not isinstance(note, str):
            raise VersionError(
                f'note is a {type(note).__name__}; expected text, as in note="shorter".'
            )
        if isinstance(messages, Mapping):
            raise VersionError(
                "save takes messages, and this is a dict; of a call's keyword arguments make a"
                " version first: save(PromptVersion.from_request(request, variables={...}))."
            )
        if isinstance(messages, PromptVersion):
            if settings or variables or tools or response_format or api:
                raise StudyError(
                    "a PromptVersion already holds its settings; save it alone, or pass its text"
                    " and the settings."
                )
            version = messages.on(model) if model else messages
        else:
            version = PromptVersion(
                messages,
                model=model,
                variables=variables,
                settings=settings,
                tools=tools_of(tools, api),
                response_format=response_format_of(response_format),
                api=api,
            )
        return self[_stored(self.project, self.name, version, note)]

    def discard(self, number: int | str | SavedVersion) -> SavedVersion:
        """Remove a version that has never served from the registry; its number is not reused.

        Args:
            number: 2, "v2", the beginning of its id, or the version.

        Returns:
            The version, whose content can be saved again.

        Raises:
            RegistryError: if the version does not exist, or it serves or has served an environment.
        """
        named = number.number if isinstance(number, SavedVersion) else number
        return self._made(self.project.registry.discard(self.name, named))

    @property
    def versions(self) -> list[SavedVersion]:
        """All saved versions, oldest first."""
        return [self._made(entry) for entry in self.project.registry.versions(self.name)]

    def __getitem__(self, number: int | str) -> SavedVersion:
        """By number (2, "2" or "v2"), or by the beginning of its id."""
        entries = self.project.registry.versions(self.name)
        for entry in entries:
            if number in (entry.number, str(entry.number), f"v{entry.number}") or (
                isinstance(number, str) and len(number) > 5 and entry.id.startswith(number)
            ):
                return self._made(entry)
        known = ", ".join(f"v{entry.number}" for entry in entries) or "none yet"
        raise StudyError(f"{self.name} has no version {shorten(repr(number), 60)}; saved: {known}.")

    @property
    def policy(self) -> Policy:
        """The conditions that a promotion of this prompt must meet. Assign a Policy, or a mapping
        of its fields, to set it in the registry (None: the registry's default again).
        """
        return self.project.registry.policy(self.name)

    @policy.setter
    def policy(self, policy: Policy | Mapping[str, object] | None) -> None:
        self.project.registry.set_policy(None if policy is None else Policy.of(policy), self.name)

    def _made(self, entry: Any) -> SavedVersion:
        return SavedVersion(
            self.project,
            self.name,
            entry.number,
            entry.version,
            note=entry.note,
            author=entry.author,
            created=entry.created,
        )

    def _ipython_key_completions_(self) -> list[str]:
        return [f"v{entry.number}" for entry in self.project.registry.versions(self.name)]

    def __len__(self) -> int:
        return len(self.project.registry.versions(self.name))

    def __iter__(self) -> Iterator[SavedVersion]:
        return iter(self.versions)

    @plain_repr
    def __repr__(self) -> str:
        serving = ", ".join(
            f"{env}: v{number}"
            for env, number in self.project.registry.environments(self.name).items()
        )
        return (
            f"<prompt {self.name}, {len(self)}"
            f" versions{f', serves {serving}' if serving else ', serves nowhere yet'}>"
        )

    def _repr_html_(self) -> str:
        return show.html(self)


def prompt_name(prompt: Prompt | str) -> str:
    """The name of a prompt, given as a Prompt or a name.

    Raises:
        StudyError: if it is neither.
    """
    name = prompt.name if isinstance(prompt, Prompt) else prompt
    if not isinstance(name, str):
        raise StudyError(
            f"prompt is a {type(prompt).__name__}; pass lab.prompt(name) or the name itself."
        )
    return name


def checked_env(env: object, version: object) -> str:
    """The name of an environment.

    Raises:
        StudyError: if it is not a text, for example a version.
    """
    if isinstance(env, str):
        return env
    shown = getattr(version, "label", None) or "version"
    raise StudyError(
        f"env is a {type(env).__name__}; pass the name of an environment, as in ({shown},"
        ' env="prod").'
    )
