"""What a version's text leaves open: a name, a type, perhaps a default."""

from __future__ import annotations

from ..canonical import canonical, json_copy
from ..errors import RenderError, VersionError
from .renderer import TYPES, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

__all__ = ["MAX_VARIABLES", "RESERVED", "Variable", "collect"]

_FIELDS = ("type", "default", "required", "description", "example")
RESERVED = frozenset(
    {"api", "fresh", "self"}
)  # keywords of `request(...)` and of asking a saved version
MAX_VARIABLES = 1_000  # a text with more is a bomb, not a prompt


class Variable:
    """One variable. `type`, `default` and `required` are content; `description` and `example` are
    not in the id.

    type: string, number, boolean, object or list; default: a value of that type, or None if the
        value is required.
    """

    __slots__ = ("_default", "_example", "description", "name", "required", "type")

    _default: object
    _example: object
    description: str
    name: str
    required: bool
    type: str

    def __init__(self, name: str, spec: Any) -> None:
        fields = {"type": spec} if isinstance(spec, str) else spec
        if not hasattr(fields, "keys"):
            raise VersionError(
                f'variable {name!r} is described by {spec!r}; give a type ("string") or {{"type":'
                ' ..., "default": ...}.'
            )
        unknown = sorted(map(str, set(fields.keys()) - set(_FIELDS)))
        if unknown:
            raise VersionError(
                f"variable {name!r} has the unknown field {unknown[0]!r}; the fields are"
                f" {', '.join(_FIELDS)}."
            )
        kind = fields.get("type", "string")
        if kind not in TYPES:
            raise VersionError(
                f"variable {name!r} has the type {kind!r}; the types are {', '.join(TYPES)}."
            )
        default = fields.get("default")
        required = fields.get("required", default is None)
        if not isinstance(required, bool):
            raise VersionError(
                f"variable {name!r} has required={required!r}; expected True or False."
            )
        if required is not (default is None):
            raise VersionError(
                f"variable {name!r} is"
                f" {'required and has a default' if required else 'optional without a default'};"
                " drop one."
            )
        if default is not None:
            try:
                to_text(name, kind, default)
            except RenderError as error:
                raise VersionError(f"the default of {error}") from None
            default = json_copy(default, f"the default of {name}")
        for field, value in (
            ("name", name),
            ("type", kind),
            ("_default", default),
            ("required", required),
            ("description", str(fields.get("description") or "")),
            ("_example", json_copy(fields.get("example"), f"the example of {name}")),
        ):
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a variable is fixed once made; make a new version instead.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a variable is fixed once made; make a new version instead.")

    @property
    def default(self) -> object:
        """What is filled in where nothing is given, a copy; None if the variable is required."""
        return json_copy(self._default)

    @property
    def example(self) -> Any:
        """A value that shows people what is meant, a copy, or None."""
        return json_copy(self._example)

    def content(self) -> dict[str, object]:
        """The part that is hashed: type, required, and the default where there is one."""
        fields: dict[str, object] = {"type": self.type, "required": self.required}
        if not self.required:
            fields["default"] = self.default
        return fields

    def document(self) -> dict[str, object]:
        """`content` and whatever describes the variable to people."""
        fields = self.content()
        if self.description:
            fields["description"] = self.description
        if self._example is not None:
            fields["example"] = self.example
        return fields

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.name, self.document()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Variable) and (self.name, self.content()) == (
            other.name,
            other.content(),
        )

    def __hash__(self) -> int:
        return hash((self.name, canonical(self.content())))

    def __repr__(self) -> str:
        default = "" if self.required else f" = {self.default!r}"
        return f"{self.name}: {self.type}{default}"


def collect(used: Iterable[str], declared: Mapping[str, object]) -> tuple[Variable, ...]:
    """The variables of a text in order of first use; undeclared ones are required strings.

    Raises VersionError for a declared variable that no message uses, and for a reserved name.
    """
    order = list(used)
    if len(order) > MAX_VARIABLES:
        raise VersionError(
            f"a version of {len(order):,} variables exceeds the limit of {MAX_VARIABLES:,};"
            " pass a list as one."
        )
    for name in order:
        if name in RESERVED:
            raise VersionError(
                f"variable {name!r} has a reserved name ({', '.join(sorted(RESERVED))}); choose"
                " another."
            )
    idle = sorted(set(declared) - set(order))
    if idle:
        raise VersionError(
            f"variable {idle[0]!r} is declared, but no message uses {{{{{idle[0]}}}}}; use it or"
            " drop it."
        )
    return tuple(Variable(name, declared.get(name, "string")) for name in order)
