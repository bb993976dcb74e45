"""Examples: read from many formats, checked, fingerprinted, and split by a hash of the id."""

from .dataset import Dataset
from .example import RESERVED, Example

__all__ = ["RESERVED", "Dataset", "Example"]
