"""Examples: read from anything, checked, fingerprinted, split so that no row ever moves."""

from .dataset import Dataset
from .example import RESERVED, Example

__all__ = ["RESERVED", "Dataset", "Example"]
