"""Other tools' formats in and out, and the prompts that are written in code.

`read_export(path)` looks at the content of a file and gives its versions, examples and runs;
nothing of a file is executed, and what could not be brought over is listed.
"""

from .detect import FORMS, read_export
from .imported import Imported, ImportedRun, ImportedVersion, Left, merged

__all__ = ["FORMS", "Imported", "ImportedRun", "ImportedVersion", "Left", "merged", "read_export"]
