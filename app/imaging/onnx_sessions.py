"""Networks run by onnxruntime on the CPU, kind to busy neighbours."""

from pathlib import Path
from typing import Any


def session(path: Path, *, threads: int) -> Any:
    """An inference session. Threads that wait do not spin: beside a busy neighbour spinning made two threads five to
    ten times slower than one. The arena is off, since it keeps the largest picture's memory for good."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
