"""Fuzz the decoder and billing under atheris for ten minutes, or as libFuzzer's options say: `make fuzz`.

Exit code 77 where the claim of `fuzzing.check` does not hold; the input is left as `crash-...` in the working folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

# Only what is imported here is watched: its new paths are what makes an input worth keeping.
with atheris.instrument_imports(include=["collector.otlp", "collector.dialects", "collector.billing"]):
    from fuzzing import check, seeds


def main() -> None:
    """Run until the time is up, from a corpus of the seeds."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            (Path(corpus) / str(number)).write_bytes(seed)
        options = ["-max_total_time=600", "-max_len=16384", *sys.argv[1:]]
        atheris.Setup([sys.argv[0], *options, corpus], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
