"""Examples: read from anything, checked, fingerprinted, split so that no row ever moves."""

from .example import RESERVED, Example

__all__ = ["RESERVED", "Example"]
