"""The demo from beginning to end: both runs, the table, the checks, and the dashboard on what the second run left."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from policies.files import load
from policies.model import PolicySet

from ..listener import ListenError, bind
from .children import Children, DemoError
from .figures import Allowance
from .report import Result, check_lines, compare, table, to_json
from .scene import Part, Progress, Services, play, services
from .workload import TENANTS

__all__ = ["SABOTAGES", "run"]

# What `--break` does to the run with switchgear, and the check that must notice.
SABOTAGES = {
    "ceiling": "the agents' clients are not guarded",
    "count": "one tenant's clients are neither instrumented nor guarded",
    "price": "the provider bills a tenth more than its list says",
}
_FILE = Path(__file__).with_name("policies.yaml")
_MONTH_IN_FILE = "2026-11"
_DASHBOARD_PORT = 8501


def run(*, seed: int, serve: bool, sabotage: str | None, as_json: bool, scale: float) -> int:
    """Play both runs, check them and serve the second; the exit code, 130 where a signal came before the table."""
    if serve:
        _check_port()
    out, progress = Console(), Console(stderr=True)
    with TemporaryDirectory(prefix="switchgear-demo-") as name, Children(Path(name)) as children:
        try:
            with _sigterm_as_interrupt():
                folder = Path(name)
                policy_file = _policy_file(folder, datetime.now(UTC))
                result, where = _both(children, folder, policy_file, seed, scale, sabotage, progress)
                _print(result, out, sabotage=sabotage, as_json=as_json)
                if serve:
                    _serve(children, where, progress)
        except KeyboardInterrupt:
            progress.print("stopped")
            return 130
    return 0 if result.passed else 1


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _both(
    children: Children,
    folder: Path,
    policy_file: Path,
    seed: int,
    scale: float,
    sabotage: str | None,
    console: Console,
) -> tuple[Result, Services]:
    """Play without, then with switchgear. The services of the second run still run when this returns."""
    folders = {name: folder / name for name in ("without", "with")}
    for each in folders.values():
        each.mkdir()
    with Children(folders["without"]) as temporary, _line(console, "without switchgear") as line:
        where = services(temporary, folders["without"], policy_file)
        unguarded = Part(seed, scale, guarded=False)
        without = play(temporary, folders["without"], where, unguarded, line)
    with _line(console, "with switchgear") as line:
        where = services(children, folders["with"], policy_file)
        part = Part(
            seed,
            scale,
            guarded=sabotage != "ceiling",
            unwatched="civic" if sabotage == "count" else None,
            markup=Decimal("1.1") if sabotage == "price" else Decimal(1),
        )
        guarded = play(children, folders["with"], where, part, line)
    return compare(seed, without, guarded, _allowances(load(policy_file))), where


def _policy_file(folder: Path, now: datetime) -> Path:
    """The demo's policies, with their plans moved to the present month."""
    file = folder / "policies.yaml"
    file.write_text(_FILE.read_text().replace(f'"{_MONTH_IN_FILE}"', f'"{now:%Y-%m}"'))
    return file


def _allowances(policies: PolicySet) -> Mapping[str, Allowance]:
    """The ceiling of each tenant as a whole."""
    return {
        ceiling.scope.tenant: Allowance(ceiling.limit, ceiling.window_s)
        for ceiling in policies.ceilings
        if ceiling.scope.tenant in TENANTS and ceiling.scope.workload is None and ceiling.window_s is not None
    }


@contextmanager
def _line(console: Console, name: str) -> Iterator[Progress]:
    """One live line for one run; where nobody watches, only its end."""
    line = Text(f"{name:<19} starting")

    def show(elapsed_s: float, totals: Mapping[str, Any]) -> None:
        line.plain = (
            f"{name:<19} {elapsed_s:5.1f} s  {totals['served']:4} calls  "
            f"{totals['limited']:4} x 429  {Decimal(totals['cost']):.4f} USD"
        )

    if console.is_terminal:
        with Live(line, console=console, refresh_per_second=4):
            yield show
    else:
        yield show
        console.print(line, soft_wrap=True)


def _print(result: Result, console: Console, *, sabotage: str | None, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(to_json(result) | {"broken_on_purpose": sabotage}, indent=2) + "\n")
        return
    console.print(table(result))
    if sabotage is not None:
        console.print(f"Broken on purpose: {SABOTAGES[sabotage]}.")
    for line in check_lines(result.checks):
        console.print(line, soft_wrap=True)


def _serve(children: Children, where: Services, console: Console) -> None:
    """Serve the dashboard on the second run's data until Ctrl-C, which is how it is meant to end."""
    dashboard = children.start(
        "dashboard",
        "cli",
        (
            *("serve", "dashboard", "--supervised", "--port", str(_DASHBOARD_PORT)),
            *("--collector", where.collector, "--policies", where.policies),
        ),
    )
    url = f"http://127.0.0.1:{_DASHBOARD_PORT}"
    children.await_answer(dashboard, f"{url}/_stcore/health")
    console.print(f"The dashboard shows the second run at {url}; Ctrl-C ends the demo.")
    with suppress(KeyboardInterrupt):
        while True:
            children.check()
            time.sleep(0.5)


def _check_port() -> None:
    """Find out before two minutes of play, not after, that the dashboard's port is taken."""
    try:
        bind("127.0.0.1", _DASHBOARD_PORT, option="--no-serve").close()
    except ListenError:
        raise DemoError(f"port {_DASHBOARD_PORT} is taken; free it, or play with --no-serve") from None
