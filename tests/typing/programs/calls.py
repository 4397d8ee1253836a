"""Model calls under guard: by clients, by functions of one's own, as tools; and how they are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, assert_type

import switchgear as sg
from switchgear.cache import Mode, Terms


class Client:
    """Whatever is wrapped is what comes back."""

    def ask(self, question: str) -> str:
        return question


class Response:
    tokens = 10


def by_clients() -> None:
    client = sg.wrap(Client())
    assert_type(client, Client)
    assert_type(client.ask("a"), str)
    assert_type(sg.wrap(Client(), cache="shadow"), Client)
    assert_type(sg.wrap(Client(), cache=Terms(Mode.ON, allow=frozenset({"tools"}))), Client)
    # Each provider's SDK has a class of its own for it.
    assert_type(sg.http_client(for_="openai"), Any)
    assert_type(sg.http_client(for_="anthropic", asynchronous=True, cache="exact", timeout=30.0), Any)
    with sg.volatile():
        client.ask("What time is it?")


def by_a_function() -> Response:
    response = sg.guard.call(
        Response,
        provider="cohere",
        model="command-a",
        input_bytes=2_000,
        max_output_tokens=500,
        usage=lambda answer: sg.Usage(output=answer.tokens),
        max_retries=0,
    )
    assert_type(response, Response)
    assert_type(sg.guard.call(lambda: [1], provider="mistral", model="m", usage=lambda _: {}), list[int])
    return response


async def by_an_async_function() -> None:
    async def asked() -> Response:
        return Response()

    assert_type(await sg.guard.call_async(asked, provider="cohere", model="command-a"), Response)


@sg.guarded_tool()
def looked_up(name: str, *, most: int = 10) -> list[str]:
    return [name] * most


@sg.guarded_tool(critical=True)
async def noted(text: str) -> bool:
    return bool(text)


@sg.guard.guarded_tool()
def counted(*numbers: float) -> float:
    return sum(numbers)


async def with_tools() -> None:
    assert_type(looked_up("a", most=2), list[str])
    assert_type(await noted("a"), bool)
    assert_type(counted(1, 2.5), float)


def refused(client: Client) -> str:
    try:
        return client.ask("a")
    except sg.BudgetExceeded as denied:
        assert_type(denied.decision, sg.Decision)
        assert_type((denied.reason, denied.policy), tuple[str, str | None])
        assert_type(denied.decision_id, str)
        assert_type((denied.remaining, denied.projection), tuple[Decimal | None, Decimal | None])
        assert_type(denied.retry_after_s, float | None)
        same: sg.SwitchgearError | RuntimeError = denied
        raise same from denied
    except sg.ConfigError as unusable:
        wrong: ValueError = unusable
        raise wrong from None
