"""For whom a proxied call is made, what it asks and what it used, as LiteLLM says them; without LiteLLM."""

from __future__ import annotations

from importlib import import_module

import pytest

from switchgear.errors import ConfigError
from switchgear.integrations.proxied import Caller, Key, Whose, provider_named, request_of, usage_of
from switchgear.request import Api
from switchgear.tier import Tier
from switchgear.usage import Usage

KEY = Key(alias="bot", team="t-1", team_alias="acme", user="u-7")
SAID = {
    "switchgear_tenant": "zenith", "switchgear_workload": "nightly", "switchgear_tier": "background",
    "switchgear_task": "run-1", "switchgear_user": "ann",
}  # fmt: skip
HEADERS = {f"x-switchgear-{name.removeprefix('switchgear_')}": value for name, value in SAID.items()}
BY_KEY = Caller("acme", "bot", Tier.BATCH, None, "u-7")
AS_SAID = Caller("zenith", "nightly", Tier.BACKGROUND, "run-1", "ann")


def whose(*trusts: str, tenant: str | None = None, **tenants: str) -> Whose:
    return Whose(tenants, trusts, tenant, Tier.BATCH)


@pytest.mark.parametrize(
    ("trusts", "metadata", "headers", "caller"),
    [
        pytest.param((), SAID, HEADERS, BY_KEY, id="nothing is trusted"),
        pytest.param(("metadata",), SAID, {}, AS_SAID, id="metadata"),
        pytest.param(("metadata",), {}, HEADERS, BY_KEY, id="headers are not metadata"),
        pytest.param(("headers",), {}, HEADERS, AS_SAID, id="headers"),
        pytest.param(("headers",), SAID, {}, BY_KEY, id="metadata is no header"),
        pytest.param(
            ("metadata", "headers"),
            {"switchgear_tenant": "first"},
            HEADERS,
            AS_SAID._replace(tenant="first"),
            id="metadata comes before headers, name by name",
        ),
        pytest.param(
            ("metadata",),
            {**SAID, "switchgear_tenant": "a\nb", "switchgear_tier": "urgent", "switchgear_task": 7},
            {},
            AS_SAID._replace(tenant="acme", tier=Tier.BATCH, task=None),
            id="what is no name is passed over",
        ),
    ],
)
def test_a_request_says_whose_it_is_only_where_that_is_trusted(
    trusts: tuple[str, ...], metadata: dict[str, object], headers: dict[str, object], caller: Caller
) -> None:
    assert whose(*trusts).caller(KEY, metadata, headers) == caller


@pytest.mark.parametrize(
    ("key", "tenants", "tenant", "found"),
    [
        pytest.param(
            KEY, {"bot": "by-alias", "t-1": "by-team"}, None, "by-alias", id="the key's alias first"
        ),
        pytest.param(KEY, {"t-1": "by-team", "acme": "by-name"}, None, "by-team", id="then the team's id"),
        pytest.param(KEY, {"acme": "by-name"}, None, "by-name", id="then the team's alias"),
        pytest.param(KEY, {"other": "x"}, "own", "acme", id="else the team by its alias"),
        pytest.param(KEY._replace(team_alias=None), {}, "own", "t-1", id="or by its id"),
        pytest.param(Key(alias="bot"), {}, "own", "own", id="without a team the process's tenant"),
    ],
)
def test_a_key_belongs_to_a_tenant(key: Key, tenants: dict[str, str], tenant: str | None, found: str) -> None:
    caller = whose(tenant=tenant, **tenants).caller(key, {}, {})
    assert caller is not None
    assert (caller.tenant, caller.workload) == (found, "bot")


def test_a_key_of_nobody_has_no_tenant() -> None:
    assert whose().caller(Key(alias="bot"), {}, {}) is None


def test_a_key_without_an_alias_is_an_untagged_workload() -> None:
    caller = whose().caller(Key(team="t-1"), {}, {})
    assert caller == Caller("t-1", "untagged", Tier.BATCH, None, None)


@pytest.mark.parametrize(
    ("trusts", "tenants", "complaint"),
    [
        pytest.param(
            ("cookies",), {}, 'trusts: "cookies" is unknown; there are: metadata, headers', id="trust"
        ),
        pytest.param((), {"bot": " "}, "tenants['bot']: ' ' is no name", id="tenant"),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    trusts: tuple[str, ...], tenants: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        whose(*trusts, **tenants)
    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize(
    ("call_type", "data", "api", "most"),
    [
        pytest.param("acompletion", {"messages": [], "max_tokens": 9, "n": 2}, Api.CHAT, 18, id="chat"),
        pytest.param("atext_completion", {"prompt": ["a", "b"]}, Api.COMPLETIONS, 32, id="completions"),
        pytest.param("aresponses", {"input": "a", "max_output_tokens": 9}, Api.RESPONSES, 9, id="responses"),
        pytest.param("anthropic_messages", {"messages": [], "max_tokens": 9}, Api.MESSAGES, 9, id="messages"),
        pytest.param("aembedding", {"input": "a"}, Api.EMBEDDINGS, 0, id="embeddings"),
    ],
)
def test_a_call_is_read_by_its_route(call_type: str, data: dict[str, object], api: Api, most: int) -> None:
    read = request_of(call_type, {**data, "model": "ours"}, "openai", "gpt-4o")
    assert read is not None
    assert (read.api, read.model, read.max_output_tokens) == (api, "gpt-4o", most)


@pytest.mark.parametrize("call_type", ["aimage_generation", "amoderation", "pass_through_endpoint"])
def test_a_route_of_another_form_is_no_call_that_can_be_guarded(call_type: str) -> None:
    assert request_of(call_type, {"model": "ours"}, "openai", "gpt-4o") is None


def test_a_request_is_as_large_as_what_is_sent_and_what_it_needs_is_seen() -> None:
    data = {
        "messages": [{"role": "user", "content": "x" * 400, "cache_control": {"type": "ephemeral"}}],
        "tools": [{"type": "function"}],
        "litellm_logging_obj": object(),
        "metadata": {"y": "y" * 9_000},
    }
    read = request_of("acompletion", data, "openai", "gpt-4o")
    assert read is not None
    assert 400 < read.size < 600
    assert (read.needs, read.writes_cache) == (["tools"], True)


@pytest.mark.parametrize(
    ("named", "base", "model", "known"),
    [
        pytest.param("openai", None, "gpt-4o", ("openai", "gpt-4o"), id="as it is"),
        pytest.param("vertex_ai", None, "gemini-2.5-pro", ("google", "gemini-2.5-pro"), id="another name"),
        pytest.param(
            "bedrock", None, "converse/anthropic.claude-x", ("aws", "anthropic.claude-x"), id="an operation"
        ),
        pytest.param(
            "openai", "https://api.groq.com/openai/v1", "llama", ("groq", "llama"), id="told by the address"
        ),
    ],
)
def test_providers_have_the_names_of_the_price_book(
    named: str, base: str | None, model: str, known: tuple[str, str]
) -> None:
    assert provider_named(named, base, model) == known


# As LiteLLM tells of it: everything that went in, of which some was read from the cache and some written to it.
TOLD = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "prompt_tokens_details": {
        "cached_tokens": 300,
        "cache_creation_tokens": 200,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50},
    },
    "completion_tokens_details": {"reasoning_tokens": 20},
}


@pytest.mark.parametrize(
    ("body", "used"),
    [
        pytest.param({"usage": TOLD}, Usage(1000 - 300 - 200, 300, 200 - 50, 50, 50, 20), id="chat, cached"),
        pytest.param(
            {
                "usage": {
                    "prompt_tokens": 1000,
                    "completion_tokens": 50,
                    "prompt_tokens_details": {"text_tokens": 500},
                    "cache_read_input_tokens": 300,
                    "cache_creation_input_tokens": 200,
                }
            },
            Usage(500, 300, 200, 0, 50, 0),
            id="chat, cached by the names at the top",
        ),
        pytest.param(
            {"usage": {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}}},
            Usage(6, 4, 0, 0, 5, 0),
            id="responses",
        ),
        pytest.param(
            {
                "type": "message",
                "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 5},
            },
            Usage(6, 4, 0, 0, 5, 0),
            id="messages, where input is what was not cached",
        ),
        pytest.param(
            {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}, Usage(10, 0, 0, 0, 5, 0), id="plain"
        ),
        pytest.param({}, None, id="none"),
    ],
)
def test_usage_is_read_from_what_litellm_tells(body: dict[str, object], used: Usage | None) -> None:
    assert usage_of(body, streamed=False) == used


def test_what_litellm_counts_itself_is_no_usage() -> None:
    counted = {"usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None}}
    assert usage_of(counted, streamed=True) is None


def test_without_litellm_the_callback_says_what_it_needs() -> None:
    with pytest.raises(ImportError, match=r"needs its package: pip install 'litellm\[proxy\]'"):
        import_module("switchgear.integrations.litellm")
