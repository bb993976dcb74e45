"""`promptops.toml`: what a project decides once, for the lab, the command line, pytest and coding
agents alike.

It is optional, nothing in it is executed, and it holds no secret: a model names the variable of its
key. What is passed in code or on the command line wins. An error names the key and its line.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..engine.prices import check_prices
from ..errors import SetupError
from ..plain_file import read_plain
from ..redact import redact_shapes

if TYPE_CHECKING:
    from ..models.protocol import Model

__all__ = ["FILE", "DeclaredModel", "ProjectFile"]

FILE = "promptops.toml"
KEYS = (
    *("store", "models", "prices", "budget_usd", "budget_tokens"),
    "false_alarms_per_year",
)
_MODEL = ("name", "base_url", "api_key_env", "api")
_APIS = ("chat", "responses", "anthropic", "gemini")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class DeclaredModel:
    """Who answers for a model's name. name: as versions ask for it; base_url: None for the
    provider's own; api_key_env: the name of the variable that holds its key; api: its request form.
    """

    name: str
    base_url: str | None = None
    api_key_env: str | None = None
    api: str = "chat"

    def made(self, *, keyless: bool = False) -> Model:
        """The model itself. keyless: it is only to be named, and never asked.

        Raises SetupError if the variable of its key is empty.
        """
        key = os.environ.get(self.api_key_env) if self.api_key_env else None
        if keyless:
            key = "never sent"  # nor is the key of another address, which a client would look for
        elif self.api_key_env and not key:
            raise SetupError(
                f"the model {self.name!r} takes its key from {self.api_key_env} ({FILE}), which is"
                f" not set; set it, or pass models={{{self.name!r}: client}}."
            )
        if self.api == "anthropic":
            from ..models.anthropic_model import AnthropicModel

            return AnthropicModel(base_url=self.base_url, api_key=key)
        if self.api == "gemini":
            from ..models.gemini_model import GeminiModel

            return GeminiModel(api_key=key)
        from ..models.endpoint import EndpointModel

        return EndpointModel(base_url=self.base_url, api_key=key)


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What the file says. store: folder of recorded runs, None for the usual one; models: by name;
    prices: model -> (input, output[, cached]) in USD per million tokens; budget_usd, budget_tokens:
    of a study that names none; false_alarms_per_year: over all monitors of the project; team: the
    address of a team's store, where `store` is one.
    """

    store: Path | None = None
    models: Mapping[str, DeclaredModel] = field(default_factory=dict)
    prices: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    budget_usd: float | None = None
    budget_tokens: int | None = None
    false_alarms_per_year: float = 1.0
    team: str | None = None

    @classmethod
    def read(cls, root: Path) -> ProjectFile:
        """The file in a project's folder; what it does not say is as without it.

        Raises:
            SetupError: it cannot be read, is not TOML, or says something that cannot be meant; the
                sentence names the line and the key.
        """
        path = root / FILE
        try:
            text = read_plain(path).decode("utf-8-sig")
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError(f"{path} cannot be read as text in UTF-8 ({error}).") from None
        try:
            document = tomllib.loads(text.replace("\r\n", "\n"))
        except tomllib.TOMLDecodeError as error:
            raise SetupError(f"{path} is not TOML: {error}.") from None
        return _Reader(path, text).read(document)

    def default(self, **budgets: object) -> dict[str, Any]:
        """Budgets with the file's own where neither is named."""
        if budgets.get("budget_usd") is None and budgets.get("budget_tokens") is None:
            return {**budgets, "budget_usd": self.budget_usd, "budget_tokens": self.budget_tokens}
        return budgets


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads a document, and knows the line of each of its keys."""

    path: Path
    text: str

    def read(self, document: Mapping[str, object]) -> ProjectFile:
        self._known((), document, KEYS)
        prices = self._prices(self._table(document, "prices"))
        models = {
            name: self._model(name, table)
            for name, table in self._table(document, "models").items()
        }
        tokens = self._number(document, "budget_tokens", None)
        if tokens is not None and tokens != int(tokens):
            raise self._wrong(("budget_tokens",), f"is {tokens!r}; expected a whole number")
        rate = self._number(document, "false_alarms_per_year", 1.0)
        if not rate:
            raise self._wrong(
                ("false_alarms_per_year",), "is 0; expected a number above 0, such as 1"
            )
        store = document.get("store")
        shared = store if isinstance(store, str) and "://" in store else None
        return ProjectFile(
            None if shared else self._store(store),
            models,
            prices,
            self._number(document, "budget_usd", None),
            int(tokens) if tokens is not None else None,
            rate,
            shared,
        )

    def _table(self, document: Mapping[str, object], key: str) -> Mapping[str, object]:
        table = document.get(key, {})
        if not isinstance(table, dict):
            raise self._wrong((key,), f"is {table!r}; expected a table, as in [{key}]")
        return table

    def _known(
        self, at: tuple[str, ...], table: Mapping[str, object], keys: tuple[str, ...]
    ) -> None:
        for key in table:
            if key in keys:
                continue
            near = difflib.get_close_matches(key, keys, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"its keys are {', '.join(keys)}"
            raise self._wrong((*at, key), f"is not a key of {FILE}; {meant}")

    def _store(self, value: object) -> Path | None:
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(
                ("store",),
                f"is {value!r}; expected the path of a folder, or the address of a team's store",
            )
        return (self.path.parent / Path(value).expanduser()).resolve()

    def _number(self, document: Mapping[str, Any], key: str, default: Any) -> Any:
        value = document.get(key)
        if value is None:
            return default
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not plain or not 0 <= value < float("inf"):
            raise self._wrong((key,), f"is {value!r}; expected a number, 0 or more")
        return value

    def _prices(self, table: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        for name, value in table.items():
            try:
                check_prices({name: value})
            except SetupError:
                raise self._wrong(
                    ("prices", name),
                    f"is {value!r}; expected [input, output] or [input, output, cached] in USD per"
                    " million tokens",
                ) from None
        return {
            name: value if isinstance(value, dict) else tuple(value)  # type: ignore[misc]
            for name, value in table.items()
        }

    def _model(self, name: str, table: object) -> DeclaredModel:
        at = ("models", name)
        if not isinstance(table, dict):
            raise self._wrong(at, f"is not a table; expected keys such as {', '.join(_MODEL[1:])}")
        self._known(at, table, _MODEL)
        for key, value in table.items():
            if not isinstance(value, str) or not value:
                raise self._wrong((*at, key), f"is {value!r}; expected text")
        variable, address, api = (table.get(key) for key in ("api_key_env", "base_url", "api"))
        if variable is not None and (
            not _VARIABLE.fullmatch(variable) or redact_shapes(variable) != variable
        ):
            raise self._wrong(
                (*at, "api_key_env"),
                "is not the name of an environment variable; a key itself never belongs in this"
                " file",
            )
        if api is not None and api not in _APIS:
            raise self._wrong((*at, "api"), f"is {api!r}; expected one of {', '.join(_APIS)}")
        if address is not None:
            self._address(at, address, variable, api)
        return DeclaredModel(table.get("name", name), address, variable, api or "chat")

    def _address(self, at: tuple[str, ...], address: str, variable: object, api: object) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise self._wrong(
                (*at, "base_url"), "is not an address such as https://host/v1, without a password"
            )
        if api == "gemini":
            raise self._wrong((*at, "base_url"), "does not go with api = 'gemini'; leave it out")
        if variable is None and parts.hostname not in _LOOPBACK:
            raise self._wrong(
                (*at, "base_url"),
                "needs api_key_env beside it, so that no key goes to another address than the one"
                " that it is for",
            )

    def _wrong(self, at: tuple[str, ...], fault: str) -> SetupError:
        line = _line_of(self.text, at)
        return SetupError(f"{self.path}, line {line}: {'.'.join(at)} {fault}.")


def _line_of(text: str, at: tuple[str, ...]) -> int:
    """The line (from 1) of a key; where it is inside an inline table, that table's line."""
    best, depth = 1, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = _path_of(stripped)
            found = table
        elif "=" in stripped and not stripped.startswith("#"):
            found = (*table, *_path_of(stripped.split("=", 1)[0] + "= 0"))
        else:
            continue
        shared = 0
        while shared < min(len(found), len(at)) and found[shared] == at[shared]:
            shared += 1
        if shared == len(found) and shared > depth:
            best, depth = number, shared
    return best


def _path_of(line: str) -> tuple[str, ...]:
    """The path of a header or a key, as TOML reads it; () if it is neither."""
    try:
        found: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(found, (dict, list)) and found:
        if isinstance(found, list):
            found = found[0]
            continue
        key = next(iter(found))
        path.append(key)
        found = found[key]
    return tuple(path)
