"""The search for a better version: on train and val only, recorded, within one budget, and
confirmed once on a test split that the search never saw.
"""

from .few_shot import FewShot
from .gepa_backend import Gepa
from .instructions import Instructions
from .task import Optimizer, Result, Task

__all__ = ["FewShot", "Gepa", "Instructions", "Optimizer", "Result", "Task"]
