"""The documented tables: one list of columns from which the DuckDB tables, their comments and the
Arrow types are made.

Every table has a natural key: rows that repeat it collapse to the first. A column that is not in
its key may be null, which means unknown. Times are UTC without zone. A table or column that a later
release adds needs nothing but its line here: older files are given it when they are opened, and an
older release reads past it. A renamed column is listed in `FORMER` as well, with a new `SCHEMA`:
segments, archives, exports and DuckDB files that have the old name are read by that one mapping,
so an old name is never given to another column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..spool.lines import SCHEMA

__all__ = ["DEPLOYMENTS", "FORMER", "SCHEMA", "TABLES", "Column", "Table", "renamed"]

Kind = Literal["text", "json", "int", "float", "bool", "time"]
_SQL: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "time": "TIMESTAMP",
}


@dataclass(frozen=True, slots=True)
class Column:
    """kind: "json" is text that holds one JSON document; "time" is UTC without zone."""

    name: str
    kind: Kind
    comment: str


@dataclass(frozen=True, slots=True)
class Table:
    """key: names of the columns that identify a row, never null."""

    name: str
    key: tuple[str, ...]
    comment: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def ddl(self, temporary: bool = False) -> Iterator[str]:
        """The statements that make the table; comments only where it is kept."""
        fields = ", ".join(
            f'"{c.name}" {_SQL[c.kind]}{" NOT NULL" if c.name in self.key else ""}'
            for c in self.columns
        )
        yield f"CREATE {'TEMP ' if temporary else ''}TABLE {self.name} ({fields})"
        if not temporary:
            yield from self.comments()

    def widen(self, name: str) -> str:
        """The statement that adds a column to a table that was made without it."""
        [column] = [column for column in self.columns if column.name == name]
        return f'ALTER TABLE {self.name} ADD COLUMN "{name}" {_SQL[column.kind]}'

    def comments(self) -> Iterator[str]:
        """The statements that write the comments of the table and of its columns."""
        yield f"COMMENT ON TABLE {self.name} IS {_quoted(self.comment)}"
        yield from map(self._comment, self.columns)

    def _comment(self, column: Column) -> str:
        return f'COMMENT ON COLUMN {self.name}."{column.name}" IS {_quoted(column.comment)}'

    def arrow(self) -> Any:
        """The pyarrow schema, columns in order."""
        import pyarrow as pa

        types = {
            "text": pa.string(),
            "json": pa.string(),
            "int": pa.int64(),
            "float": pa.float64(),
            "bool": pa.bool_(),
            "time": pa.timestamp("us"),
        }
        return pa.schema([(column.name, types[column.kind]) for column in self.columns])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _table(name: str, key: str, comment: str, columns: str) -> Table:
    """A table of lines `column kind comment`."""
    listed = []
    for line in columns.strip().splitlines():
        column, kind, text = line.strip().split(None, 2)
        listed.append(Column(column, kind, text))  # type: ignore[arg-type]  # the literals below, and a test of them
    return Table(name, tuple(key.split()), comment, tuple(listed))


_RUNS = _table(
    "runs",
    "id",
    "One recorded call of one version, example and repeat; written once, never changed.",
    """
    id text `r-` and 32 hex digits; sorts by time
    key text what makes an equal call (`k1:`...): an answered one is never paid for twice
    prompt text the prompt's name, empty for a scratch version
    version_id text content id of the version (`p1-`...)
    model text the model's name that was asked for
    endpoint text name of who answered
    role text what the call was for: model, target, judge, propose (an optimiser's), probe (a monitor's) or imported
    example_id text id of the dataset row; null for an ad-hoc call
    example_fingerprint text hash of the example's content, which is what pairs runs
    repeat int 0 for the first answer to the same question
    request json what was sent, secrets redacted
    output text the assistant's text; null where nothing came back
    tool_calls json the tool calls that came back
    finish_reason text why the model stopped
    failure text failure class; null where the model answered
    failure_detail text the raw code and message of the failure
    tokens_in int tokens of the prompt
    tokens_out int tokens of the answer
    tokens_cached int tokens of the prompt that the provider had cached
    cost_usd float USD of the answer, with what is known of the attempts before it; null where it is unknown or nothing came back
    latency_ms float milliseconds of the whole call, retries and waits included
    first_token_ms float milliseconds to the first token of a streaming call
    attempts int how many tries it took
    model_returned text the model's name that came back
    system_fingerprint text the provider's fingerprint of the system that answered
    started_at time when the call began
    cell_hash text hash of the notebook cell's source
    git_commit text commit of the project when the call began
    git_dirty bool whether the project had changes that were not committed
    tokens_cache_write int tokens of the prompt that the provider wrote into its cache
    tokens_reasoning int tokens of the answer that were spent on reasoning
    reasoning text the model's reasoning, kept apart from the answer and capped
    service_tier text the tier that served the call, as the provider named it
    imported_from text name of the file that the row came in with; null where this project made the call
    """,
)
_ATTEMPTS = _table(
    "attempts",
    "run_id number",
    "One try of a run.",
    """
    run_id text the run
    number int 1 for the first try
    started_at time when the try began
    latency_ms float milliseconds of this try
    status int HTTP status
    failure text failure class; null where it succeeded
    detail text the raw code and message of the failure
    request_id text the provider's id of the request
    waited_ms float milliseconds waited before this try, for backoff or pace
    tokens_in int tokens of the prompt
    tokens_out int tokens of the answer
    cost_usd float USD of this try, 0 where it was certainly not billed; null where unknown, as for one that was sent and broke off
    """,
)
_SCORES = _table(
    "scores",
    "run_id example_fingerprint scorer scorer_version",
    "One judgement of one run by one version of a scorer, against one content of the example.",
    """
    run_id text the run
    example_fingerprint text content of the example that it was judged against
    scorer text the scorer's name
    scorer_version text the scorer's version; another one is another score
    value float in [0, 1], higher is better; null where unscored
    passed bool whether it met the scorer's threshold; null where there is none
    raw_value float the figure behind the value, in its own unit
    unit text unit of raw_value
    reason text one sentence for people
    unscored text why there is no value; null where there is one
    category text a nominal verdict
    scored_at time when it was judged
    """,
)
_STUDY_RUNS = _table(
    "study_runs",
    "study_id arm version_id example_id repeat run_id",
    "Which run answered which arm, example and repeat of a study; a later run may replace a failed"
    " one.",
    """
    study_id text the study
    arm text name of the arm
    version_id text content id of the arm's version
    example_id text id of the dataset row
    example_fingerprint text hash of the example's content in this study
    repeat int 0 for the first answer
    run_id text the run
    reused bool whether the run had been recorded before this study asked
    """,
)
_STUDY_EVENTS = _table(
    "study_events",
    "study_id event_at event",
    "What happened to a study: started, stopped, finished.",
    """
    study_id text the study
    event_at time when it happened
    event text what happened
    detail text why
    """,
)
_STUDIES = _table(
    "studies",
    "id",
    "One evaluation: versions x dataset x scorers.",
    """
    id text content id of the design (`s1-`...)
    name text for people
    prompt text the prompt's name
    design json arms, dataset, scorers, repeats, split
    created_at time when it was first run
    author text who ran it
    cell_hash text hash of the notebook cell's source
    git_commit text commit of the project
    """,
)
_BATCHES = _table(
    "batches",
    "id",
    "One batch of questions, written before it was handed in to its provider.",
    """
    id text `b-` and hex digits of the digest of its questions; sent along to the provider where it has a place for it
    study_id text the study that asked first
    endpoint text name of who was asked
    api text the request form
    model text the model's name that was asked for
    keys json the questions' keys, in the order in which they were handed in
    n_questions int number of questions
    made_at time when it was about to be handed in
    """,
)
_BATCH_EVENTS = _table(
    "batch_events",
    "batch_id event_at batch_event",
    "What became of a batch: handed_in, collected, or closed where none came to be of it.",
    """
    batch_id text the batch
    event_at time when it happened
    batch_event text what happened
    detail text the provider's id of the batch; the keys that were collected, empty for all of them; why there was none
    """,
)
_VERSIONS = _table(
    "versions",
    "id prompt",
    "One content saved under one prompt's name; prompt is empty for a scratch version.",
    """
    id text content id (`p1-`...)
    prompt text the prompt's name
    display_name text display number (v1, v2, ...)
    note text what its author wrote about it
    document json messages, variables, model, settings, tools, response format
    parents json ids of the versions that it was made from, [] where nothing is known
    created_at time when it was saved
    made_by text how it was made: null where a person wrote it, else the method (an optimiser's name) and its study
    """,
)
_DATASETS = _table(
    "datasets",
    "dataset_fingerprint",
    "A set of examples as it was read.",
    """
    dataset_fingerprint text hash of its examples
    name text for people
    source text where it was read from
    n_examples int number of examples
    created_at time when it was first used
    columns json names of its columns, and what they are used for
    origin json the file that it was read from, from the project's folder; its columns' roles, and the line of each row
    """,
)
_EXAMPLES = _table(
    "examples",
    "dataset_fingerprint example_id",
    "One row of a dataset.",
    """
    dataset_fingerprint text hash of the dataset's examples
    example_id text id of the row, unique in the dataset
    example_fingerprint text hash of the row's content
    position int place in the dataset, 0 first
    document json inputs, expected, split, cluster, tags, history, checks
    """,
)
_LABELS = _table(
    "labels",
    "id",
    "One judgement of an output by a person.",
    """
    id text id of the label
    run_id text the run that was labelled
    example_id text the example, where no run was labelled
    rater text who
    kind text the question (pass, score, choice, ...)
    value float the number that was given
    label text the category that was given
    note text what the rater wrote
    labelled_at time when
    """,
)
_PLANS = _table(
    "plans",
    "id",
    "A plan fixed before its data were seen.",
    """
    id text content id of the plan
    prompt text the prompt's name
    document json the plan
    created_at time when it was fixed
    """,
)
_VERDICTS = _table(
    "verdicts",
    "id",
    "A policy applied to a comparison.",
    """
    id text id of the verdict
    study_id text the study
    prompt text the prompt's name
    candidate text version id of the candidate
    baseline text version id of the baseline; null for a first deployment
    dataset text fingerprint of the dataset
    split text split that was compared; null for all rows
    document json the figures and the decision; of a refusal the promotion and its reasons
    created_at time when it was decided
    env text the environment to which a promotion was refused; null where nothing was
    """,
)
_OPTIMIZATIONS = _table(
    "optimizations",
    "id",
    "One search for a better version of a prompt, on the train and val splits alone.",
    """
    id text content id of the search (`o1-`...)
    prompt text the prompt's name
    seed_version text version id that it began with
    method text name of the method
    design json method, scorers, goal, splits, seed of the random numbers and budget
    plan_id text the plan of its confirmation, frozen before the search began
    author text who ran it
    created_at time when it was first run
    """,
)
_CANDIDATES = _table(
    "candidates",
    "optimization_id version_id",
    "One version that a search considered, with where it came from.",
    """
    optimization_id text the search
    version_id text content id of the version
    number int 0 for the seed, then in the order in which they were made
    parents json ids of the versions that it was made from
    how text the step that made it
    call_run text run of the call that proposed it; null where no model was asked
    feedback text the answer that the step was given
    """,
)
_CANDIDATE_EVENTS = _table(
    "candidate_events",
    "optimization_id number",
    "What happened to a candidate, in the order of the search.",
    """
    optimization_id text the search
    number int place in the search, 0 first
    version_id text the candidate
    status text proposed, vetoed, raced_out, kept or best
    n int val examples that it had answered
    score float mean of the primary on them; null where there is none
    detail text why, one sentence
    event_at time when it was first recorded
    """,
)
_PROPOSALS = _table(
    "proposals",
    "optimization_id number",
    "One text that a model proposed, recorded before it is evaluated.",
    """
    optimization_id text the search
    number int place among its proposals, 0 first
    how text the step that asked for it
    parents json ids of the versions that it was shown
    run_id text run of the call
    version_id text the candidate that became of it; null where none did
    refused text why none did; null where one did
    proposed_at time when it was first recorded
    """,
)
_LIVE = _table(
    "live",
    "id",
    "One call that an application made in earnest; never reused as an answer of a study.",
    """
    id text `l-` and 32 hex digits; sorts by time
    response_id text the provider's id of the answer
    prompt text the prompt's name; null where it is unknown
    version_id text content id of the version; null where it is unknown
    number int the version's display number
    env text the environment
    arm text stable or canary; null where no canary ran
    served_from text where the loader had it from: file, last_known_good, default or use
    attribution text how the version is known: carried, matched, imported or unknown
    key_hash text keyed hash of the user's key
    session text keyed hash of the conversation
    started_at time when the call began
    latency_ms float milliseconds of the whole call
    first_token_ms float milliseconds to the first token of a streaming call
    model text the model's name that was asked for
    model_returned text the model's name that came back
    system_fingerprint text the provider's system_fingerprint
    endpoint text host of who answered
    tokens_in int tokens of the prompt
    tokens_out int tokens of the answer
    tokens_cached int tokens of the prompt that the provider had cached
    finish_reason text why the model stopped
    failure text failure class; null where the model answered
    failure_detail text status, code and exception; the message where content is kept
    streamed bool whether the answer came in pieces
    chars_in int characters of the messages
    chars_out int characters of the answer
    values json what the variables were filled with, where content is kept
    output text the answer, where content is kept
    tool_calls json the tool calls that came back, where content is kept
    kept float share of the calls whose content was kept when this one's was; null where it was not
    service text the application's name
    release text the application's release
    trace_id text OpenTelemetry's trace, 32 hex digits
    span_id text OpenTelemetry's span, 16 hex digits
    """,
)
_FEEDBACK = _table(
    "feedback",
    "id",
    "Feedback on a live answer, given later.",
    """
    id text `f-` and 32 hex digits
    run text the live row's id, or the provider's id of the answer
    kind text good, score, label, correction or note
    value float 1 for good and 0 for bad, or the score
    label text the category
    correction text what the answer should have been
    note text anything else
    by text keyed hash of the person who gave it
    at time when
    """,
)
_LIVE_LOSSES = _table(
    "live_losses",
    "id",
    "Live rows that an application could not record.",
    """
    id text of the note
    at time when the sink took rows again
    rows int how many were dropped before
    reason text why
    """,
)
_LIVE_SOURCES = _table(
    "live_sources",
    "source bytes",
    "How much of each file of live rows has been taken in.",
    """
    source text name of the segment or file
    bytes int up to where
    folder text the folder, or the file itself, as the machine that read it names it
    """,
)
_LIVE_HOURS = _table(
    "live_hours",
    "id",
    "What a purge by age left of live rows: their figures by hour, without anybody's words or ids.",
    """
    id text `h-` and 32 hex digits of the ids of the rows that went: the same rows count once
    hour time the hour in which the calls began
    prompt text the prompt's name
    version_id text content id of the version; null where it was unknown
    number int the version's display number
    env text the environment
    arm text stable or canary; null where no canary ran
    model text the model's name that came back, else that was asked for
    calls int how many calls
    failures int how many failed, without those that the application gave up
    priced int how many had their tokens counted
    tokens_in int tokens of the prompts, of those
    tokens_out int tokens of the answers, of those
    tokens_cached int tokens that the provider had cached, of those
    votes int how many were voted on
    good int votes for good
    scored int how many were scored
    score_sum float sum of their mean scores
    score_squares float sum of the squares
    latency json calls by latency: {"n": calls of 1.04^n milliseconds}, so that p50 and p95 are known to 2 %
    """,
)
TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        _RUNS,
        _ATTEMPTS,
        _SCORES,
        _STUDY_RUNS,
        _STUDY_EVENTS,
        _STUDIES,
        _BATCHES,
        _BATCH_EVENTS,
        _VERSIONS,
        _DATASETS,
        _EXAMPLES,
        _LABELS,
        _PLANS,
        _VERDICTS,
        _OPTIMIZATIONS,
        _CANDIDATES,
        _CANDIDATE_EVENTS,
        _PROPOSALS,
        _LIVE,
        _FEEDBACK,
        _LIVE_LOSSES,
        _LIVE_SOURCES,
        _LIVE_HOURS,
    )
}

# table -> {name of a column in an earlier format: its name today}. Format 1 is that of release 0.1.
FORMER: Mapping[str, Mapping[str, str]] = {
    "runs": {"source": "role", "fingerprint": "system_fingerprint", "cell": "cell_hash"},
    "scores": {"measure": "raw_value", "label": "category"},
    "study_events": {"at": "event_at"},
    "studies": {"config": "design", "cell": "cell_hash"},
    "versions": {"label": "display_name"},
    "datasets": {"fingerprint": "dataset_fingerprint", "n": "n_examples"},
    "examples": {"fingerprint": "dataset_fingerprint"},
}


def renamed(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row or columns as written, by the names of today."""
    former = FORMER.get(table, {})
    return {former.get(name, name): value for name, value in row.items()}


# Not stored: read from the registry file whenever a query names it.
DEPLOYMENTS = _table(
    "deployments",
    "prompt env at",
    "What every environment of the registry has served, oldest first; read from the registry file.",
    """
    prompt text the prompt's name
    env text the environment
    at time when it began to serve
    version int display number of the version
    version_id text content id of the version
    kind text promote, canary or rollback
    author text who
    reason text why
    evidence text digest of the evidence; null where there was none
    forced bool whether the gate had refused
    percent float the canary's share; null where none ran
    duration_s float seconds for which it served; null while it serves
    """,
)
