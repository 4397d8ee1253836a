"""What an issuer's people may: rules add up, and never to more than one of them says."""

from __future__ import annotations

from typing import Any

import pytest

from collector.keys.claims import Issuer, Person, Rule, person

FINANCE = Rule("groups", has="finance", scopes=("finance", "read"), tenants=("*",))
EVERYBODY = Rule("sub", scopes=("read",), tenants=("acme",))
OPERATOR = Rule("groups", has="ops", scopes=("operate",), tenants=("acme",))
READER = Rule("groups", has="readers", scopes=("read",), tenants=("*",))


def of(*rules: Rule, unverified_email: bool = False, **claims: Any) -> Person:
    issuer = Issuer("https://id.example.com", ("switchgear",), rules, unverified_email=unverified_email)
    return person(issuer, {"sub": "4711", **claims})


@pytest.mark.parametrize(
    ("rule", "claims", "matches"),
    [
        (Rule("groups", has="a"), {"groups": ["b", "a"]}, True),
        (Rule("groups", has="a"), {"groups": ["b", "ab"]}, False),
        (Rule("groups", has="a"), {"groups": "a"}, True),
        (Rule("groups", has="a"), {"groups": "a b"}, False),
        (Rule("groups", has="a"), {}, False),
        (Rule("team", equals="a"), {"team": "a"}, True),
        (Rule("team", equals="a"), {"team": ["a"]}, False),
        (Rule("team", equals="a"), {"team": "A"}, False),
        (Rule("realm_access.roles", has="a"), {"realm_access": {"roles": ["a"]}}, True),
        (Rule("realm_access.roles", has="a"), {"realm_access": ["a"]}, False),
        (Rule("https://acme.example/groups", has="a"), {"https://acme.example/groups": ["a"]}, True),
        (Rule("team"), {"team": "anything"}, True),
        (Rule("team"), {"team": ""}, False),
        (Rule("team"), {"team": []}, False),
        (Rule("team"), {}, False),
    ],
    ids=str,
)
def test_a_rule_matches_by_one_claim(rule: Rule, claims: dict[str, Any], *, matches: bool) -> None:
    given = Rule(rule.claim, rule.equals, rule.has, scopes=("read",), tenants=("acme",))
    assert bool(of(given, **claims).key.scopes) is matches


def test_rights_of_all_rules_that_match_add_up() -> None:
    found = of(EVERYBODY, FINANCE, Rule("sub", scopes=("owner:Ines",)), groups=["finance"], name="Ines")
    assert set(found.key.tenants) == {"acme", "*"}
    assert found.key.scopes == {"finance", "read", "owner:Ines"}
    assert (found.key.id, found.name, found.left_out) == ("oidc:4711", "Ines", ())


@pytest.mark.parametrize(
    ("rules", "tenants", "scopes", "left_out"),
    [
        ((READER, OPERATOR), {"*"}, {"read"}, (2,)),
        ((OPERATOR, READER), {"acme"}, {"operate"}, (2,)),
        ((OPERATOR, EVERYBODY), {"acme"}, {"operate", "read"}, ()),
        ((EVERYBODY, READER), {"acme", "*"}, {"read"}, ()),
        (
            (READER, OPERATOR, Rule("sub", scopes=("operate",), tenants=("*",))),
            {"*"},
            {"read", "operate"},
            (),
        ),
    ],
    ids=["wider first", "narrower first", "same tenants", "same scopes", "each alone is given"],
)
def test_nobody_is_given_what_no_rule_gives(
    rules: tuple[Rule, ...], tenants: set[str], scopes: set[str], left_out: tuple[int, ...]
) -> None:
    found = of(*rules, groups=["ops", "readers"])
    assert (set(found.key.scopes), found.left_out) == (scopes, left_out)
    assert {each for each in tenants if not found.key.speaks_for(each.replace("*", "any"))} == set()
    assert found.key.all_tenants is ("*" in tenants)


def test_claims_name_tenants_and_owners_and_never_a_pattern() -> None:
    rule = Rule("sub", scopes=("read",), tenants_from="tenant", owner_from="email")
    found = of(
        rule, tenant=["acme", "*", "glo*", "", 7, "a\nb"], email="ines@example.com", email_verified=True
    )
    assert found.key.tenants == ("acme",)
    assert found.key.owners == {"ines@example.com"}
    assert of(rule, tenant="*").key.scopes == set()


def test_an_address_counts_once_the_issuer_has_verified_it() -> None:
    rule = Rule("email", equals="ines@example.com", scopes=("owner:Ines",))
    said: dict[str, Any] = {"email": "ines@example.com"}
    assert not of(rule, **said).key.scopes
    assert not of(rule, **said, email_verified=False).key.scopes
    assert of(rule, **said, email_verified=True).key.owners == {"Ines"}
    assert of(rule, **said, unverified_email=True).key.owners == {"Ines"}


def test_two_people_never_have_one_id() -> None:
    long = ["x" * 64 + each for each in "ab"]
    odd = ["a b", "a  b", "é"]
    ids = {of(EVERYBODY, sub=each).key.id for each in (*long, *odd, "auth0|4711", "4711")}
    assert len(ids) == 7
    assert {"oidc:auth0|4711", "oidc:4711"} < ids
    assert all(each.isascii() and len(each) < 80 for each in ids)
