"""Guards the clients of providers' SDKs, and what is built on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..errors import ConfigError
from .bedrock import wrap_bedrock
from .google import wrap_google
from .langchain import inner_clients
from .sdks import KNOWN, guarded_http_client, wrap_sdk

if TYPE_CHECKING:
    from ..cache.model import Terms
    from .cached import Use

__all__ = ["http_client", "wrap"]

# Each guards a client that it knows, and says whether it does.
_KINDS = (wrap_sdk, wrap_google, wrap_bedrock)
_NAMES = (*KNOWN, "google.genai", "bedrock-runtime")

C = TypeVar("C")
CacheMode = Literal["off", "shadow", "exact", "on"]


def wrap(client: C, *, cache: CacheMode | Terms | None = None) -> C:
    """Guard a client of OpenAI's, Anthropic's or Google's SDK, sync or async, boto3's of `bedrock-runtime`, or a chat
    model of LangChain's, and return that same one.

    Copies made with `with_options` share its HTTP client and are guarded too, and so are all chat models of one base
    URL, for which LangChain keeps one HTTP client. Wrapping twice changes nothing.

    `cache` says what the answer cache may do for its calls: "off", "shadow" (serve nothing, and measure), "exact"
    (serve answers to the very same request), "on" (to requests of the same meaning, too), or terms. Of these and what
    policies say, the more careful holds. Wrapped again with another, that holds from then on.

    Raises ConfigError for a client of another kind, or for a chat model that calls by such a one; and for a cache that
    is not configured, or that the client cannot have.
    """
    use = _use("wrap", cache)
    inner = tuple(inner_clients(client)) or (client,)
    if not all(any(guards(each, use) for guards in _KINDS) for each in inner):
        kind = type(client)
        raise ConfigError(
            f"wrap: {kind.__module__}.{kind.__qualname__} is no client of {' or '.join(_NAMES)}"
        )
    return client


def http_client(
    *,
    for_: Literal["openai", "anthropic"],
    asynchronous: bool = False,
    cache: CacheMode | Terms | None = None,
    **options: Any,
) -> Any:
    """A guarded HTTP client for a provider SDK's `http_client=`, with that SDK's own timeouts and limits.

    `cache` is as for `wrap`. `options` go to the SDK's own default client class (`base_url`, `proxy`, `timeout`, ...).
    """
    return guarded_http_client(for_, _use("http_client", cache), asynchronous=asynchronous, **options)


def _use(what: str, cache: CacheMode | Terms | None) -> Use | None:
    """How clients use the cache; None: as if there were none. Imported only where it is asked for."""
    if cache is None:
        return None
    from .cached import use_of

    return use_of(what, cache)
