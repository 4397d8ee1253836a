"""What a child process says of the task in which it runs."""

from __future__ import annotations

from multiprocessing.connection import Connection

import switchgear as sg


def tell(line: Connection) -> None:
    """Send the current task, or None."""
    line.send(sg.current_task())
    line.close()
