"""LangChain's chat models: which clients of providers' SDKs a model holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["inner_clients"]

_BASE = ("langchain_core.language_models.chat_models", "BaseChatModel")
# Where chat models keep their clients, those that make the requests first: ChatOpenAI and its kin, whose `client` is
# a part of the root client; ChatAnthropic; ChatBedrockConverse and ChatGoogleGenerativeAI.
_KEPT_AS = (("root_client", "root_async_client"), ("_client", "_async_client"), ("client",))


def inner_clients(model: Any) -> Iterator[Any]:
    """The clients by which a chat model makes its calls; none where it is no chat model, or keeps none."""
    if not any((base.__module__, base.__name__) == _BASE for base in type(model).__mro__):
        return
    for names in _KEPT_AS:
        kept = [client for name in names if (client := getattr(model, name, None)) is not None]
        if kept:
            yield from kept
            return
