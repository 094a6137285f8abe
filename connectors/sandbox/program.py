"""What every server needs as a program: an orderly end, and a truth file that is never half written."""

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import pandas as pd

from connectors.sandbox.frames import as_json
from connectors.sandbox.wire import dumps


def stop_event() -> threading.Event:
    """Event that is set when the program is told to end (SIGTERM, SIGINT)."""
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, end)
    return stop


def write_truth(frames: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write tables as JSON, in one stroke: a reader finds the old file or the new one."""
    text = dumps(as_json(frames))
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    beside.write_text(text, encoding="utf-8", newline="\n")
    beside.replace(path)
