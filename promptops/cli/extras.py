"""Which extra each command needs, known before its module is imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from ..errors import MissingExtra

__all__ = ["EXTRAS", "PACKAGES", "extra_of", "lacks", "require_extra"]

# extra -> packages that show it is there; each extra holds the ones before it, mcp holds run
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "cli": ("click", "rich"),
    "ci": ("click", "rich", "numpy", "scipy"),
    "run": ("click", "rich", "numpy", "scipy", "duckdb", "pandas", "pyarrow", "openai", "regex"),
    "notebook": ("duckdb", "pandas", "ipywidgets", "anywidget", "plotly"),
    "lab": ("duckdb", "pandas", "ipywidgets", "jupyterlab", "voila"),
    "mcp": ("duckdb", "pandas", "mcp"),
}
# command -> extra; a command that is not listed needs [cli]. `compare` is one: what its table needs
# beyond 0/1 outcomes is known when it is read
EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(("verify",), "ci"),
    **dict.fromkeys(
        ("demo", "studies", "import", "audit", "evaluate", "optimize", "doctor"), "run"
    ),
    **dict.fromkeys(("report", "scorers", "prices", "watch", "store", "site", "batches"), "run"),
    **dict.fromkeys(("lab", "dashboard"), "lab"),
    "mcp": "mcp",
}


def extra_of(command: str) -> str:
    """The extra that a command needs."""
    return EXTRAS.get(command, "cli")


def lacks(extra: str) -> bool:
    """Whether a package of the extra is not installed."""
    return any(find_spec(package) is None for package in PACKAGES[extra])


def require_extra(command: str) -> None:
    """Raise MissingExtra, with the line that installs it, if a command cannot run."""
    extra = extra_of(command)
    if lacks(extra):
        raise MissingExtra(f"promptops {command}", extra)
