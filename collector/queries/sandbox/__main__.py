"""Starts a worker: `python -m collector.queries.sandbox`.

Without pandas and NumPy, which nothing in it needs, it starts in half the time (0.46 s instead of 0.9 s of CPU) and
takes 118 MB instead of 164 MB.
"""

from __future__ import annotations

from ...without import leave_out

if __name__ == "__main__":
    leave_out("pandas", "numpy")
    from .worker import main

    main()
