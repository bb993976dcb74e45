"""What a version's text leaves open: a name, a type, perhaps a default."""

from __future__ import annotations

from .canonical import canonical
from .errors import RenderError, VersionError
from .template import TYPES, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIELDS = ("type", "default", "required", "description", "example")
RESERVED = frozenset({"api", "fresh"})  # keywords of `request(...)` and of asking a saved version


class Variable:
    """One variable. `type`, `default` and `required` are content; `description` and `example` are not in the id.

    type: string, number, boolean, object or list; default: a value of that type, or None where the value is required.
    """

    __slots__ = ("default", "description", "example", "name", "required", "type")

    name: str
    type: str
    default: object
    required: bool
    description: str
    example: object

    def __init__(self, name: str, spec: object) -> None:
        fields = {"type": spec} if isinstance(spec, str) else spec
        if not hasattr(fields, "keys"):
            raise VersionError(f'variable {name!r} is described by {spec!r}; give a type ("string") or {{"type": ..., "default": ...}}.')
        unknown = sorted(set(fields.keys()) - set(_FIELDS))  # type: ignore[attr-defined]
        if unknown:
            raise VersionError(f"variable {name!r} has the unknown field {unknown[0]!r}; the fields are {', '.join(_FIELDS)}.")
        kind = fields.get("type", "string")  # type: ignore[attr-defined]
        if kind not in TYPES:
            raise VersionError(f"variable {name!r} has the type {kind!r}; the types are {', '.join(TYPES)}.")
        default = fields.get("default")  # type: ignore[attr-defined]
        required = bool(fields.get("required", default is None))  # type: ignore[attr-defined]
        if required is not (default is None):
            raise VersionError(
                f"variable {name!r} is {'required and has a default' if required else 'optional without a default'}; drop one."
            )
        if default is not None:
            try:
                to_text(name, kind, default)
            except RenderError as error:
                raise VersionError(f"the default of {error}") from None
        for field, value in (
            ("name", name),
            ("type", kind),
            ("default", default),
            ("required", required),
            ("description", str(fields.get("description") or "")),  # type: ignore[attr-defined]
            ("example", fields.get("example")),  # type: ignore[attr-defined]
        ):
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a variable is fixed once made; make a new version instead.")

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
        if self.example is not None:
            fields["example"] = self.example
        return fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Variable) and (self.name, self.content()) == (other.name, other.content())

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
    for name in order:
        if name in RESERVED:
            raise VersionError(f"variable {name!r} has a reserved name ({', '.join(sorted(RESERVED))}); choose another.")
    idle = sorted(set(declared) - set(order))
    if idle:
        raise VersionError(f"variable {idle[0]!r} is declared, but no message uses {{{{{idle[0]}}}}}; use it or drop it.")
    return tuple(Variable(name, declared.get(name, "string")) for name in order)
