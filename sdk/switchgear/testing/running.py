"""A fake provider that runs: in a thread of this process, for the length of a block."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from .fake import Latency, Price, Provider
from .limits import Limits
from .server import Server

__all__ = ["provider"]


@contextmanager
def provider(
    *,
    limits: Mapping[str, Limits] | None = None,
    latency: Latency | None = None,
    price: Price | None = None,
    models: Collection[str] | None = None,
    headers: Mapping[str, str] | None = None,
    port: int = 0,
) -> Iterator[Provider]:
    """A model provider on this machine, which bills nobody: by default without limits and latency, on a free port.

        with testing.provider(limits={"openai": Limits(requests_per_minute=600)}) as provider:
            client = openai.OpenAI(base_url=provider.openai_url, api_key="any")
            ...
            provider.served

    What it "answers" is fixed by the request, and by a marker in its text: see `docs/testing.md`.
    """
    made = Provider(limits=limits, latency=latency, price=price, models=models, headers=headers)
    with Server(made, port=port) as server:
        made.url = server.url
        yield made
