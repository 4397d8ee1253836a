"""Generator functions that run inside a task while the code that consumes them does not.

A generator shares the context of whoever iterates it, so that a task entered in its body would leak out at every
`yield`. Here the body runs in a context of its own: what it sets there (its task, its current span) is there again at
the next item, and the consumer never sees it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import Context
from functools import wraps
from typing import Any

__all__ = ["async_generator", "generator"]

Begin = Callable[[], tuple[Context, Callable[[BaseException | None], None]]]
"""Begins the task when the first item is asked for: the context for the body, and whom to tell once what left it."""


def generator(
    function: Callable[..., Generator[Any, Any, Any]], begin: Begin
) -> Callable[..., Generator[Any, Any, Any]]:
    """`function`, each call of which runs in what `begin` began.

    A consumer that leaves early ends it with GeneratorExit.
    """

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        body = function(*args, **kwargs)
        context, end = begin()
        try:
            result = yield from _stepped(body, context)
        except BaseException as error:
            end(error)
            raise
        end(None)
        return result

    return run


def async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], begin: Begin
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """The same for an async generator function, which waits in that context, too."""

    @wraps(function)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        body = function(*args, **kwargs)
        context, end = begin()
        step: Awaitable[Any] = body.asend(None)
        try:
            while True:
                try:
                    item = await _Within(context, step)
                except StopAsyncIteration:
                    break
                try:
                    sent = yield item
                except GeneratorExit:
                    await _Within(context, body.aclose())
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it is the body's to deal with
                    step = body.athrow(thrown)
                else:
                    step = body.asend(sent)
        except BaseException as error:
            end(error)
            raise
        end(None)

    return run


class _Within:
    """An awaitable whose every step runs in a context of its own."""

    def __init__(self, context: Context, awaited: Awaitable[Any]) -> None:
        self._context, self._awaited = context, awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        return _stepped(self._awaited.__await__(), self._context)


def _stepped(body: Generator[Any, Any, Any], context: Context) -> Generator[Any, Any, Any]:
    """What `body` yields and returns, each step of it in `context`."""
    advance: Callable[[Any], Any] = body.send
    value: Any = None
    while True:
        try:
            item = context.run(advance, value)
        except StopIteration as ended:
            return ended.value
        try:
            value = yield item
            advance = body.send
        except GeneratorExit:
            context.run(body.close)
            raise
        except BaseException as thrown:  # noqa: BLE001 - it is the body's to deal with
            advance, value = body.throw, thrown
