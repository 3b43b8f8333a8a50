"""Can the data folder be used?"""

import tempfile
from pathlib import Path

from app.processes.words import StartFailure


def check_data_folder(data: Path) -> None:
    """Make it if it is not there, and write to it once. Raises StartFailure ``data_not_writable``."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data) as file:
            file.write(b"\0" * 4096)
    except OSError as exc:
        raise StartFailure("data_not_writable", path=str(data), reason=exc.strerror or str(exc)) from exc
