"""Whoever a company's issuer has signed in sees in both services what the rules give them, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from commands import Run
from oidc_provider import CLIENT, SECRET, Provider
from otlp_samples import Served, llm_span, request
from serving import PLAIN, Serving
from waiting import until

from analytics import registry, reports
from cli.oidc import tokens
from collector.pricing import Quote
from policies.service import create_app
from switchgear.usage import Usage

ROOT = "the root key"
USERS: dict[str, dict[str, Any]] = {
    "ines": {"name": "Ines", "email": "ines@example.com", "groups": ["finance-team"]},
    "tom": {"tenant": "acme"},
    "ann": {"email": "ann"},
    "kim": {"name": "Kim", "groups": ["on-call"]},
    "guest": {"email": "guest@example.com"},
}
RIGHTS = """\
  - {claim: groups, has: finance-team, scopes: [finance, read], tenants: ["*"]}
  - {claim: groups, has: on-call, scopes: [operate], tenants: [acme]}
  - {claim: tenant, tenants_from: tenant, scopes: [read]}
  - {claim: email, equals: ann, owner_from: email}
"""
POLICY = """\
version: 1
tenants:
  acme: {workloads: {w: {owner: ann, cost_centre: CC-1}}}
  globex: {workloads: {secret-agent: {owner: bob, cost_centre: CC-globex}}}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 1 USD, window: 1h}
  - {name: acme-w, scope: {tenant: acme, workload: w}, limit: 1 USD, window: 1h}
  - {name: globex-hour, scope: {tenant: globex}, limit: 1 USD, window: 1h}
  - {name: together, limit: 100 USD, window: 1h}
"""
REGISTRY = {
    "workloads": [
        {"tenant": "acme", "workload": "w", "owner": "ann", "cost_centre": "CC-1"},
        {"tenant": "globex", "workload": "secret-agent", "owner": "bob", "cost_centre": "CC-globex"},
    ],
    "plans": [{"cost_centre": "CC-globex", "month": "2026-11", "amount": "1200", "currency": "USD"}],
}
RANGE = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}


def price(
    provider: str | None,
    model: str | None,
    usage: Usage,
    at: datetime,
    service_tier: str | None = None,
    tenant: str | None = None,
) -> Quote:
    return Quote(None, "USD", "no rates")


class Company:
    """Both services on one folder, and the issuer whose people they know."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.provider = provider
        self.file = folder / "oidc.yaml"
        self.rule(RIGHTS)
        (folder / "policies.yaml").write_text(POLICY)
        self.collector = Served(
            folder / "data",
            api_key=ROOT,
            tokens=tokens(self.file),
            reports=reports.REPORTS,
            registry=registry,
        )
        engine: Any = create_app(
            policy_file=folder / "policies.yaml",
            data=folder / "data",
            price=price,
            collector=None,
            api_key=ROOT,
            tokens=tokens(self.file),
        )
        self.policies = Serving(engine)
        self.http = httpx.Client(timeout=20, trust_env=False, verify=PLAIN)

    def rule(self, rights: str) -> None:
        """Write the file anew."""
        text = f"version: 1\nissuer: {self.provider.url}\naudience: {CLIENT}\nrights:\n{rights}"
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def ask(self, who: str | None, method: str, path: str, **more: Any) -> tuple[httpx.Response, ...]:
        """What both services answer to somebody, by name, or to whoever comes with nothing."""
        headers = {} if who is None else {"Authorization": f"Bearer {self.secret(who)}"}
        return tuple(
            self.http.request(method, service.url + path, headers=headers, **more)
            for service in (self.collector, self.policies)
        )

    def secret(self, who: str) -> str:
        return ROOT if who == "root" else self.provider.token(who)

    def fill(self) -> None:
        spans = [
            llm_span(1, {"switchgear.tenant": "acme", "switchgear.workload": "w"}),
            llm_span(2, {"switchgear.tenant": "globex", "switchgear.workload": "secret-agent"}),
        ]
        self.collector.http.headers["Authorization"] = f"Bearer {ROOT}"
        assert self.collector.send(request(spans)).json() == {}
        assert self.collector.http.put("/v1/registry", json=REGISTRY).status_code == 200

    def stop(self) -> None:
        self.http.close()
        self.policies.stop()
        self.collector.stop()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with Provider(USERS) as provider:
        running = Company(tmp_path_factory.mktemp("company"), provider)
        running.fill()
        yield running
        running.stop()


def _statuses(answers: tuple[httpx.Response, ...]) -> list[int]:
    return [each.status_code for each in answers]


def _told(company: Company, who: str) -> dict[str, str]:
    """What somebody is told over every route of both services that only tells."""
    told = {}
    for service in (company.collector, company.policies):
        paths = company.http.get(f"{service.url}/openapi.json").json()["paths"]
        headers = {"Authorization": f"Bearer {company.secret(who)}"}
        for path, methods in paths.items():
            if "get" not in methods or path == "/openapi.json":
                continue
            for name in ("spend", "unowned", "tasks") if "{name}" in path else ("",):
                url = service.url + path.replace("{name}", name)
                params = {**RANGE, "by": "tenant"} if name else None
                told[f"{url} {name}"] = company.http.get(url, headers=headers, params=params).text
        told[f"{service.url} explain"] = company.http.get(
            f"{service.url}/v1/explain", headers=headers, params={"tenant": "acme", "workload": "w"}
        ).text
    return told


def test_both_services_tell_a_person_who_they_are(company: Company) -> None:
    collector, policies = (each.json() for each in company.ask("ines", "GET", "/v1/identity"))
    assert collector.pop("expires_at").endswith("Z")
    policies.pop("expires_at")
    assert collector == policies
    assert collector == {
        "id": "oidc:ines",
        "name": "Ines",
        "tenants": ["*"],
        "scopes": ["finance", "read"],
        "owners": [],
        "options": [],
        "keyless": False,
        "root": False,
    }


def test_whoever_has_no_rights_is_told_so_and_whoever_is_nobody_is_not(company: Company) -> None:
    for path in ("/v1/identity", "/v1/explain", "/v1/reports"):
        answers = company.ask("guest", "GET", path)
        assert _statuses(answers) == [403, 403]
        assert all("guest@example.com is signed in, but no rule" in each.text for each in answers)
        assert _statuses(company.ask(None, "GET", path)) == [401, 401]
    wrong = company.provider.token("ines", aud="another")
    answer = company.http.get(
        f"{company.policies.url}/v1/identity", headers={"Authorization": f"Bearer {wrong}"}
    )
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="switchgear"')


def test_finance_sees_every_tenant_and_its_plans_and_changes_nothing(company: Company) -> None:
    told = " ".join(_told(company, "ines").values())
    assert all(word in told for word in ("globex-hour", "together", "secret-agent", "1200"))
    collector, policies = company.ask("ines", "POST", "/v1/breakers", json={})
    assert (collector.status_code, policies.status_code) == (404, 403)
    for method, path in (("POST", "/v1/traces"), ("POST", "/v1/settlements"), ("POST", "/v1/backups")):
        assert company.ask("ines", method, path)[0].status_code == 403, path
    assert company.ask("ines", "POST", "/v1/grants", json={})[1].status_code == 403


@pytest.mark.parametrize("who", ["tom", "ann", "kim"], ids=["tenant", "owner", "operator"])
def test_nobody_is_told_a_byte_of_what_is_not_theirs(company: Company, who: str) -> None:
    told = _told(company, who)
    # An explanation names each ceiling that restrains, whomever else it restrains too.
    explained = told[f"{company.policies.url} explain"].replace("together", "")
    told[f"{company.policies.url} explain"] = explained
    assert {
        question: text
        for question, text in told.items()
        if any(word in text for word in ("globex", "secret-agent", "together", "bob"))
    } == {}
    assert '"w"' in explained


def test_a_tenant_and_an_owner_see_what_is_theirs(company: Company) -> None:
    sees = {}
    for who in ("tom", "ann"):
        found = company.ask(who, "GET", "/v1/budgets")[1].json()["budgets"]
        query = company.ask(who, "POST", "/v1/query", json={"sql": "SELECT workload FROM calls"})[0]
        sees[who] = [each["ceiling"] for each in found], query.json()["rows"]
    assert sees == {"tom": (["acme-hour", "acme-w"], [["w"]]), "ann": (["acme-w"], [["w"]])}


def test_what_a_person_does_by_hand_is_signed_with_who_they_are(company: Company) -> None:
    force = {"ceiling": "acme-hour", "do": "disable", "by": "Kim", "reason": "a test"}
    assert company.ask("kim", "POST", "/v1/breakers", json=force)[1].json() == {"ceilings": 1}
    (moved,) = company.ask("kim", "GET", "/v1/breakers")[1].json()["transitions"]
    assert moved["by"] == "Kim (oidc:kim)"
    other = company.ask("kim", "POST", "/v1/breakers", json={**force, "ceiling": "globex-hour"})[1]
    assert other.status_code == 404


def test_a_change_of_the_file_is_seen_while_people_are_signed_in(company: Company) -> None:
    def both(status: int) -> Callable[[], bool]:
        return lambda: _statuses(company.ask("tom", "GET", "/v1/identity")) == [status] * 2

    assert both(200)()
    try:
        company.rule("  - {claim: groups, has: finance-team, scopes: [read], tenants: [acme]}\n")
        until(both(403), "the right is taken", within_s=10)
        company.rule("  - {claim: groups, has: finance-team, scopes: [internal], tenants: ['*']}\n")
        assert company.ask("root", "GET", "/v1/identity")[0].json()["root"]
        company.file.unlink()
        until(both(401), "the file is gone", within_s=10)
    finally:
        company.rule(RIGHTS)
        until(both(200), "the right is back", within_s=10)


def test_what_signing_in_brings_is_taken(company: Company) -> None:
    """The authorization code flow, as `st.login` goes it: with state, nonce and PKCE."""
    verifier = "a-verifier-that-is-long-enough-to-be-one-0123456789"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    back = "http://127.0.0.1:8501/oauth2callback"
    found = company.http.get(f"{company.provider.url}/.well-known/openid-configuration").json()
    asked = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": back,
        "scope": "openid profile email",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": "ines",
    }
    sent = company.http.get(found["authorization_endpoint"], params=asked)
    returned = parse_qs(urlsplit(sent.headers["location"]).query)
    assert returned["state"] == ["s"]
    form = {"grant_type": "authorization_code", "code": returned["code"][0], "redirect_uri": back}
    statuses = []
    for proof in ("another", verifier):
        answer = company.http.post(
            found["token_endpoint"], data={**form, "code_verifier": proof}, auth=(CLIENT, SECRET)
        )
        statuses.append(answer.status_code)
        if proof == "another":
            form["code"] = parse_qs(
                urlsplit(
                    company.http.get(found["authorization_endpoint"], params=asked).headers["location"]
                ).query
            )["code"][0]
    assert statuses == [400, 200]
    token = answer.json()["id_token"]
    told = company.http.get(
        f"{company.collector.url}/v1/identity", headers={"Authorization": f"Bearer {token}"}
    )
    assert told.json()["id"] == "oidc:ines"


# -- the file, at the command line

GOOD = """\
version: 1
issuer: https://id.example.com
audience: switchgear
rights:
  - {claim: groups, has: finance-team, scopes: [finance, read], tenants: ["*"]}
  - {claim: groups, has: on-call, scopes: [operate], tenants: [acme]}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("issuer: https:", "issuer: http:", '2:9: issuer: "http://id.example.com" is no https address'),
        ("audience: switchgear", "audience: []", "3:11: audience:"),
        ("rights:", "algorithms: [HS256]\nrights:", 'algorithms[0]: "HS256" is none of: RS256, ES256'),
        ("rights:", "algorithms: [none]\nrights:", 'algorithms[0]: "none" is none of: RS256, ES256'),
        ("[operate]", "[internal]", "scope 'internal' is for keys of the file alone"),
        ("[operate]", "[admin]", "scope 'admin' is for keys of the file alone"),
        ("[operate]", "[oprate]", "scope 'oprate' is unknown; did you mean operate?"),
        (", tenants: [acme]", "", "a rule speaks for tenants"),
        ("scopes: [operate], ", "", "a rule needs a scope"),
        ("[operate], tenants: [acme]", "['owner:x'], tenants: [acme]", "owner:NAME goes by no tenant"),
        ("has: on-call", "has: on-call, equals: x", "leave one out"),
        ("has: on-call", "hase: on-call", "hase"),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    from cli.oidc import OidcFileError, load

    file = tmp_path / "oidc.yaml"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(OidcFileError) as refused:
        load(file)
    assert says in str(refused.value)
    assert str(refused.value).startswith(f"{file}:")


def test_the_file_is_checked_and_tried_before_anybody_comes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "oidc.yaml").write_text(GOOD)
    claims = {"sub": "4711", "name": "Ines", "groups": ["finance-team", "on-call"]}
    told = run("keys", "oidc", "--claims", json.dumps(claims), "--json")
    assert json.loads(told.stdout) == {
        "id": "oidc:4711",
        "name": "Ines",
        "tenants": ["*"],
        "scopes": ["finance", "read"],
        "left_out": [2],
    }
    assert "rule 2 matches and is left out" in told.stderr
    (tmp_path / "oidc.yaml").write_text(GOOD.replace("[operate]", "[admin]"))
    for command in (("keys", "oidc"), ("serve", "policies", "--port", "1")):
        refused = run(*command)
        assert refused.returncode == 1
        assert "oidc.yaml:6:44: rights[1].scopes[0]: scope 'admin'" in refused.stderr
