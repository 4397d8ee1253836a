"""Takes the current task across the borders of a process: into child processes and, where that is wished, over HTTP.

Nothing here happens by itself. Only `inject` writes a header, and only towards hosts that the user lists in
`propagate_to`; nothing is put into OpenTelemetry's baggage or its global propagators.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Protocol

from . import hooks
from .context import Task, current_task, inside
from .errors import ConfigError
from .identity import Identity

__all__ = ["HEADER", "VARIABLE", "child_environment", "extracted", "inherited", "inject"]

HEADER = "switchgear-task"
VARIABLE = "SWITCHGEAR_TASK"


class Headers(Protocol):
    """The headers of a request as any server has them: a mapping, or a message with several of one name."""

    def items(self) -> Iterable[tuple[str, str]]: ...


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """A copy of `environ` for a child process, which belongs to the current task once it calls `configure`.

    What it does outside any task of its own is then part of this one, and its tasks are sub-tasks of it. Outside any
    task the copy names none. Raises ConfigError for a task whose names are too long to be carried.

        subprocess.run(command, env=sg.child_environment(os.environ))
    """
    env = {name: value for name, value in environ.items() if name != VARIABLE}
    task = current_task()
    if task is not None:
        env[VARIABLE] = task.carry()
    return env


def inherited(environ: Mapping[str, str]) -> Task | None:
    """The task that the environment names for the whole process. Raises ConfigError for one that is none."""
    text = environ.get(VARIABLE)
    return Task.of(Identity.from_text(text, VARIABLE)) if text else None


def inject(headers: MutableMapping[str, str], url: object) -> None:
    """Put the current task into the headers of a request to `url`, if its host is listed in `propagate_to`.

    For any other host the header is taken out where it is there, so that headers used twice, or a redirect, tell
    nobody else. `url` is a string or a client's own URL object. Raises ConfigError for a task whose names are too long
    to be carried.
    """
    for name in [each for each in headers if each.lower() == HEADER]:
        headers.pop(name)
    task, hosts = current_task(), hooks.propagate_to()
    if task is not None and hosts is not None and hosts.take(str(url)):
        headers[HEADER] = task.carry()


@contextmanager
def extracted(headers: Headers, *, tenants: Collection[str]) -> Iterator[Task | None]:
    """Run what follows in the task that a request's headers name; without the header, as if this were not there.

    `tenants` are those for whom this caller may speak, as its authentication says: the header itself proves nothing.
    How the task ends is told by the process that began it. Raises ConfigError, which a server answers with 400 or 403,
    where the header is no carried task or names another tenant.
    """
    if isinstance(tenants, str):
        raise ConfigError(f'tenants: "{tenants}" is one text; write a list, ["{tenants}"]')
    said = [value for name, value in headers.items() if name.lower() == HEADER]
    if not said:
        yield None
        return
    if len(said) > 1:
        raise ConfigError(f"{HEADER}: is there {len(said)} times, and a request has one task")
    identity = Identity.from_text(said[0], HEADER)
    if identity.tenant not in tenants:
        raise ConfigError(
            f'{HEADER}: its tenant "{identity.tenant}" is not among those that are accepted here'
        )
    with inside(Task.of(identity)) as task:
        yield task
