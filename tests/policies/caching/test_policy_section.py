"""The section `cache` of a policy file: what it refuses, who is shown it, and how it reaches agents."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from engines import Caller, engine
from jsonschema import Draft202012Validator

from analytics.documents import tree_of
from collector.keys.key import Key
from collector.pricing import Quote
from policies.caching.words import told_of
from policies.files import PolicyFileError, json_schema, parse
from policies.files.writing import as_document, as_text
from policies.inforce import concerning
from policies.model import Who
from policies.service import create_app
from switchgear.cache import Mode, Terms
from switchgear.cache.terms import terms_of
from switchgear.decision import Decision
from switchgear.tier import Tier
from switchgear.usage import Usage

TENANTS = """\
version: 1
tenants:
  acme: {workloads: {w: {owner: ann}, v: {}}}
  globex: {workloads: {w: {owner: bob}, u: {}}}
"""


def file(*entries: str) -> str:
    return TENANTS + "cache:\n" + "".join(f"  - {{{each}}}\n" for each in entries)


def test_an_entry_says_its_terms_and_the_usual_ones_for_what_it_leaves_out() -> None:
    whole = (
        "tenant: acme, workload: w, mode: on, bound: 1%, confidence: 95%, keep: 6h, audits: 10%, "
        "allow: [tools, volatile], share_with: [globex], tags: [a]"
    )
    first, second = parse(file(whole, "mode: shadow"), name="p.yaml").cache
    assert first.terms == Terms(
        Mode.ON,
        Decimal("0.01"),
        Decimal("0.95"),
        timedelta(hours=6),
        Decimal("0.1"),
        frozenset({"tools", "volatile"}),
        ("a",),
    )
    assert (first.tenant, first.workload, first.share_with) == ("acme", "w", frozenset({"globex"}))
    assert (second.terms, second.tenant) == (Terms(Mode.SHADOW), None)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        pytest.param(
            ["tenant: acme"], "p.yaml:6:5: cache[0].mode: is missing; write mode: shadow", id="no mode"
        ),
        pytest.param(
            ["mode: maybe"],
            'p.yaml:6:12: cache[0].mode: "maybe" is none of: off, shadow, exact, on',
            id="a mode that there is not",
        ),
        pytest.param(
            ["mode: on, bound: 2"],
            'p.yaml:6:23: cache[0].bound: 2 is no share from 0.1% to 50%; write one, such as "2%"',
            id="a bound without its sign",
        ),
        pytest.param(
            ["mode: on, bound: 0%"],
            'p.yaml:6:23: cache[0].bound: "0%" is no share from 0.1% to 50%; write one, such as "2%"',
            id="a bound that nothing keeps",
        ),
        pytest.param(
            ["mode: on, confidence: 100%"],
            'p.yaml:6:28: cache[0].confidence: "100%" is no share from 50% to 99.99%; write one, such as "90%"',
            id="certainty",
        ),
        pytest.param(
            ["mode: on, audits: 0%"],
            'p.yaml:6:24: cache[0].audits: "0%" is no share from 0.1% to 100%; write one, such as "5%"',
            id="no audits",
        ),
        pytest.param(
            ["mode: on, keep: 1 week"],
            'p.yaml:6:22: cache[0].keep: "1 week" is not a length of time; write "30s", "5m", "1h" or "7d"',
            id="a length that is none",
        ),
        pytest.param(
            ["mode: on, allow: [tool]"],
            'p.yaml:6:24: cache[0].allow[0]: "tool" is none of: tools, temperature, volatile; did you mean "tools"?',
            id="an allowance misspelt",
        ),
        pytest.param(
            ["mode: on, tenant: acne"],
            'p.yaml:6:24: cache[0].tenant: no tenant "acne" is declared; did you mean "acme"?',
            id="a tenant that nobody declared",
        ),
        pytest.param(
            ["mode: on, tenant: acme, workload: u"],
            'p.yaml:6:40: cache[0].workload: no workload "u" is declared; there are: v, w',
            id="another tenant's workload",
        ),
        pytest.param(
            ["mode: on, workload: w", "workload: w, mode: off"],
            "p.yaml:7:5: cache[1]: cache[0] is for the same tenant and workload; keep one of the two",
            id="two entries for one scope",
        ),
        pytest.param(
            ["mode: on, share_with: [globex]"],
            "p.yaml:6:28: cache[0].share_with: each tenant says for itself with whom it shares; "
            "name the tenant of this entry",
            id="sharing for everybody",
        ),
        pytest.param(
            ["mode: on, tenant: acme, share_with: [acme]"],
            "p.yaml:6:42: cache[0].share_with: it names nobody else; name the other tenants, or leave it out",
            id="sharing with itself",
        ),
        pytest.param(
            ["mode: on, tenant: acme, share_with: [globx]"],
            'p.yaml:6:43: cache[0].share_with[0]: no tenant "globx" is declared; did you mean "globex"?',
            id="sharing with nobody there is",
        ),
        pytest.param(
            ["mode: on, tenant: acme, share_with: [globex, globex]"],
            'p.yaml:6:51: cache[0].share_with[1]: "globex" stands twice in the list; write it once',
            id="sharing twice",
        ),
        pytest.param(
            ["mode: on, treshold: 0.9"],
            "p.yaml:6:16: cache[0].treshold: no such setting here; there are: allow, audits, bound, confidence, "
            "keep, mode, share_with, tags, tenant, workload",
            id="a setting that there is not",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_what_to_write(entries: list[str], says: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        parse(file(*entries), name="p.yaml")
    assert str(refused.value).splitlines() == [says]


def test_a_tenant_who_takes_its_word_back_makes_no_file_that_is_refused() -> None:
    """A refused file would leave the last good one in force: the one in which both still share."""
    both = parse(file("tenant: acme, mode: on, share_with: [globex]", "tenant: globex, mode: on"), name="f")
    caching = both.caching.of("acme", "w")
    assert caching is not None
    assert caching.group is None


ENTRIES = (
    "mode: shadow",
    "tenant: acme, mode: on, bound: 0.5%, share_with: [globex], tags: ['1.0']",
    "tenant: globex, mode: on, keep: 90s, share_with: [acme, globex]",
    "tenant: globex, workload: u, mode: exact, allow: [temperature]",
    "workload: v, mode: off, audits: 100%, confidence: 99.5%",
)


def test_what_is_written_reads_back_as_the_same_set() -> None:
    policies = replace(parse(file(*ENTRIES), name="f"), version="")
    document = as_document(policies)
    assert document["cache"][0] == {"mode": "shadow"}
    for text in (json.dumps(document), as_text(document)):
        assert replace(parse(text, name="f"), version="") == policies


@pytest.mark.parametrize("text", [file(*ENTRIES), file("mode: 'on', bound: 2.5%")])
def test_the_schema_takes_what_the_reader_takes(text: str) -> None:
    parse(text, name="f")
    assert list(Draft202012Validator(json_schema()).iter_errors(tree_of(text, "f"))) == []


@pytest.mark.parametrize("entry", ["mode: maybe", "bound: 2%", "mode: on, bound: 2", "mode: on, share: x"])
def test_the_schema_refuses_what_no_reader_takes(entry: str) -> None:
    assert list(Draft202012Validator(json_schema()).iter_errors(tree_of(file(entry), "f")))


def key(tenants: str, *scopes: str) -> Key:
    return Key("k", tuple(tenants.split()), frozenset(scopes))


@pytest.mark.parametrize(
    ("who", "entries"),
    [
        pytest.param(key("*", "read"), [0, 1, 2, 3, 4], id="key for all"),
        pytest.param(key("acme", "read"), [0, 1, 4], id="tenant"),
        pytest.param(key("globex", "operate"), [0, 2, 3], id="another tenant"),
        pytest.param(key("", "owner:bob"), [0, 2], id="owner of a workload of a tenant's"),
    ],
)
def test_a_key_is_shown_the_entries_that_concern_its_tenants(who: Key, entries: list[int]) -> None:
    policies = parse(file(*ENTRIES), name="f")
    seen = concerning(policies, who)
    assert [(rule.tenant, rule.workload) for rule in seen.cache] == [
        (policies.cache[each].tenant, policies.cache[each].workload) for each in entries
    ]
    # What one tenant's key is shown names no other tenant, and can be read.
    if not who.all_tenants:
        assert {name for rule in seen.cache for name in rule.share_with} == set()
    parse(json.dumps(as_document(seen)), name="f")


@pytest.mark.parametrize(
    ("tenant", "workload", "says"),
    [
        pytest.param(
            "initech",
            "x",
            "cache[0] is shadow: nothing is served, and what would have been wrong is measured; at most 2 % wrong "
            "of what is served for its meaning, 90 % sure, 5 % asked all the same; kept 1d",
            id="everybody's",
        ),
        pytest.param(
            "acme",
            "w",
            "cache[1] is on: answers to requests of the same meaning are served, too; at most 0.5 % wrong of what is "
            "served for its meaning, 90 % sure, 5 % asked all the same; kept 1d; shared with globex",
            id="shared",
        ),
        pytest.param(
            "acme",
            "u",
            "cache[1] is on: answers to requests of the same meaning are served, too; at most 0.5 % wrong of what is "
            "served for its meaning, 90 % sure, 5 % asked all the same; kept 1d; shared with nobody: globex has no "
            "entry that names the same tenants",
            id="not shared for this workload",
        ),
        pytest.param(
            "globex",
            "u",
            "cache[3] is exact: answers to the very same request are served; kept 1d, requests with temperature as "
            "well",
            id="exact",
        ),
        pytest.param("initech", "v", "cache[4] is off: nothing is looked up or kept", id="off"),
    ],
)
def test_an_entry_is_told_in_words(tenant: str, workload: str, says: str) -> None:
    assert told_of(parse(file(*ENTRIES), name="f"), tenant, workload) == says


def test_where_nothing_is_said_there_are_no_words() -> None:
    assert told_of(parse(TENANTS, name="f"), "acme", "w") is None


def test_explain_shows_the_entry_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(file(*ENTRIES))
    command = [sys.executable, "-m", "cli", "policies", "explain", str(path), "--tenant", "acme"]
    told = subprocess.run([*command, "--workload", "v"], capture_output=True, text=True)
    assert told.stdout.splitlines()[-1].startswith("cache[1] is on: "), told.stderr
    whole = subprocess.run([*command, "--workload", "w", "--json"], capture_output=True, text=True)
    terms = json.loads(whole.stdout)["terms"]
    assert (terms["mode"], terms["bound"], terms["group"]) == ("on", "0.005", '["acme", "globex"]')


def test_every_decision_about_a_scope_says_on_which_terms_its_answers_are_served() -> None:
    """Decisions by themselves, with a grant, and for who has to wait or is refused."""
    ceilings = "  - {name: hour, limit: 0.0025 USD, window: 1h}\n"
    asking = Caller(engine(ceilings, "cache: [{mode: exact}]"))
    made = asking.engine
    told = [
        made.decide(Who("acme", "w", Tier.BATCH), 0.0),
        asking.ask(0.0).decision,
        asking.ask(0.0, output=1_000_000).decision,
    ]
    waiting = asking.ask(0.0)
    assert waiting.decision is None
    told.append(made.waiting(waiting.request.id, 0.0))
    assert [each.action.value for each in told if each] == ["allow", "allow", "deny", "queue"]
    assert {terms_of(each.cache or {}).mode for each in told if each} == {Mode.EXACT}


def price(
    provider: str | None,
    model: str | None,
    usage: Usage,
    at: datetime,
    service_tier: str | None = None,
    tenant: str | None = None,
) -> Quote:
    return Quote(Decimal(usage.total) / 1_000_000, "USD", "a test's rates")


async def test_agents_are_told_over_http_and_woken_when_the_terms_change(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(file("tenant: acme, mode: shadow"))
    app: Any = create_app(policy_file=path, data=tmp_path, price=price, collector=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:

        async def asked(tenant: str) -> tuple[Decision, str]:
            answer = await client.get("/v1/decisions", params={"tenant": tenant, "workload": "w"})
            return Decision.from_wire(answer.json()), answer.headers["etag"].strip('"')

        acme, tag = await asked("acme")
        globex, other_tag = await asked("globex")
        assert terms_of(acme.cache or {}).mode is Mode.SHADOW
        assert (globex.cache, tag.partition(".")[0]) == (None, other_tag)
        scopes = [{"tenant": "acme", "workload": "w"}]
        batch = await client.post("/v1/decisions:batch", json={"scopes": scopes})
        assert (batch.json()["etag"], batch.json()["decisions"][0]["cache"]["mode"]) == (tag, "shadow")
        explained = await client.get("/v1/explain", params=scopes[0])
        assert explained.json()["cache"].startswith("cache[0] is shadow")

        body = {"scopes": scopes, "etag": tag, "wait": 20}
        waiting = asyncio.create_task(client.post("/v1/decisions:batch", json=body))
        await asyncio.sleep(0)
        path.write_text(file("tenant: acme, mode: on"))
        await app.runtime.reload()
        changed = (await waiting).json()
        assert (changed["etag"] != tag, changed["decisions"][0]["cache"]["mode"]) == (True, "on")
        again, new_tag = await asked("acme")
        assert (new_tag, terms_of(again.cache or {}).mode) == (changed["etag"], Mode.ON)
