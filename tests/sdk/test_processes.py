"""The task in processes and process pools, which start with a context of their own, or with one of long ago."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
from opentelemetry.sdk.trace import TracerProvider
from telling import tell

import switchgear as sg
from switchgear.context import task_in

# Newer Pythons warn of every fork in a process that has threads; what is carried is the same.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

KINDS = [kind for kind in ("fork", "spawn") if kind in multiprocessing.get_all_start_methods()]


@pytest.fixture(autouse=True)
def carried(configured: Callable[..., TracerProvider]) -> None:
    configured(guard=False)


@pytest.fixture(scope="module", params=KINDS)
def pool(request: pytest.FixtureRequest) -> Iterator[ProcessPoolExecutor]:
    """One worker, which is started by whoever comes first."""
    with ProcessPoolExecutor(1, multiprocessing.get_context(request.param)) as started:
        yield started


def carried_of(task: sg.Task | None) -> str | None:
    return task.carry() if task is not None else None


def test_a_process_pool_runs_each_item_in_the_task_that_gave_it_and_none_in_another(
    pool: ProcessPoolExecutor,
) -> None:
    with sg.task("report", tenant="acme", budget="1 USD", user="u-17"), sg.task("search") as first:
        # The worker starts here; with fork it has all that this process has, its context too.
        in_first = pool.submit(sg.current_task).result()
    outside = pool.submit(sg.current_task).result()
    with sg.task("report", tenant="zenith") as second:
        (in_second,) = pool.map(task_in, [None])

    assert carried_of(in_first) == first.carry()
    assert in_first is not None
    assert in_first.span_attributes == first.span_attributes
    assert outside is None
    assert carried_of(in_second) == second.carry()


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_runs_in_the_task_that_started_it(kind: str) -> None:
    context = multiprocessing.get_context(kind)
    with sg.task("report", tenant="acme") as task:
        here, there = context.Pipe()
        process = context.Process(target=tell, args=(there,))
        process.start()
        there.close()
        told = here.recv()
        process.join()

    assert process.exitcode == 0
    assert carried_of(told) == task.carry()


@pytest.mark.parametrize("kind", KINDS)
def test_a_multiprocessing_pool_stays_in_the_task_in_which_it_was_made(kind: str) -> None:
    with sg.task("report", tenant="acme") as task:
        pool = multiprocessing.get_context(kind).Pool(1)
    with pool:
        assert carried_of(pool.apply(sg.current_task)) == task.carry()
        pool.close()
        pool.join()


def test_what_is_said_of_a_task_in_another_process_stays_there() -> None:
    with sg.task("report", tenant="acme", on_wrap_up=print) as task:
        task.failed()
        elsewhere = pickle.loads(pickle.dumps(task))  # noqa: S301 - what was written just now

    assert elsewhere.carry() == task.carry()
    assert (elsewhere._part.failed, elsewhere._part.on_wrap_up) == (False, [])
