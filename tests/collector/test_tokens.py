"""Tokens of an issuer beside keys: what is taken, what is refused, and what becomes of it while the issuer is away."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from oidc_provider import CLIENT, Provider, SigningKey
from waiting import until

from collector.errors import DeniedError
from collector.keys.access import Access
from collector.keys.claims import Issuer, Rule
from collector.keys.jwks import Jwks, is_safe
from collector.keys.key import Holder, Key
from collector.keys.keyring import FILE_NAME, Keyring
from collector.keys.rules import ANY_KEY, Rules
from collector.keys.tokens import NotYetError, Tokens

USERS = {"ines": {"email": "ines@example.com", "name": "Ines", "groups": ["finance"]}, "guest": {}}
RULES = (Rule("groups", has="finance", scopes=("finance", "read"), tenants=("*",)),)
DOOR = Rules(
    {"GET /v1/identity": ANY_KEY, "GET /v1/reports": ("read",), "POST /v1/settlements": ("internal",)}
)


class File:
    """What the installation says of its issuer, as it stands now."""

    def __init__(self, value: Issuer | None) -> None:
        self.value = value

    def look(self) -> None:
        pass


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    with Provider(USERS) as provider:
        yield provider


@pytest.fixture
def provider(shared: Provider) -> Provider:
    """The provider with its keys as they were at first."""
    shared.published = [shared.key]
    shared.asked.clear()
    return shared


def issuer(provider: Provider, **changes: Any) -> Issuer:
    return replace(Issuer(provider.url, (CLIENT,), RULES), **changes)


@pytest.fixture
def tokens(provider: Provider) -> Tokens:
    """Tokens of which the keys were fetched once; nothing fetches them again by itself."""
    made: list[Jwks] = []

    def keys_of(of: Issuer) -> Jwks:
        made.append(Jwks(of))
        return made[-1]

    taken = Tokens(File(issuer(provider)), keys_of=keys_of)
    assert made[0].fetch()
    return taken


def status(tokens: Tokens, token: str) -> int:
    try:
        tokens.identify(token)
    except DeniedError as denied:
        return denied.status
    return 200


def test_a_good_token_says_who_came_until_when(provider: Provider, tokens: Tokens) -> None:
    claims = provider.claims("ines")
    holder = tokens.identify(provider.signed(claims))
    assert (holder.key.id, holder.name, holder.ends_at) == ("oidc:ines", "Ines", claims["exp"])
    assert holder.key == Key("oidc:ines", ("*",), frozenset({"finance", "read"}))


def _elliptic(claims: dict[str, Any], key: SigningKey) -> str:
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": key.id})


BAD: dict[str, Callable[[Provider], str]] = {
    "expired": lambda p: p.token("ines", exp=int(time.time()) - 1),
    "without an end": lambda p: p.token("ines", exp=None),
    "with an end in words": lambda p: p.token("ines", exp="tomorrow"),
    "with an endless end": lambda p: p.signed({**p.claims("ines"), "exp": float("inf")}),
    "not valid yet": lambda p: p.token("ines", nbf=int(time.time()) + 60),
    "of the future": lambda p: p.token("ines", iat=int(time.time()) + 60),
    "for somebody else": lambda p: p.token("ines", aud="another-client"),
    "for nobody": lambda p: p.token("ines", aud=None),
    "for two, from the other": lambda p: p.token("ines", aud=[CLIENT, "another"], azp="another"),
    "of another issuer": lambda p: p.token("ines", iss="https://evil.example.com"),
    "of the issuer with a slash": lambda p: p.token("ines", iss=p.url + "/"),
    "of nobody": lambda p: p.token("ines", sub=None),
    "of an empty name": lambda p: p.token("ines", sub=""),
    "unsigned": lambda p: jwt.encode(p.claims("ines"), "", "none", {"kid": p.key.id}),
    "HS256 with the public key for a secret": lambda p: _confused(p),
    "signed by somebody else under a known kid": lambda p: p.signed(
        p.claims("ines"), SigningKey(), kid=p.key.id
    ),
    "signed with an elliptic curve under a known kid": lambda p: _elliptic(p.claims("ines"), p.key),
    "changed after it was signed": lambda p: _changed(p.token("ines")),
    "to log somebody out": lambda p: p.signed(p.claims("ines"), typ="logout+jwt"),
    "of nothing": lambda _: "..",
    "of no JSON": lambda _: "a.b.c",
    "too long": lambda p: p.token("ines", more="x" * 20_000),
}


def _confused(provider: Provider) -> str:
    """A token signed as if the public key, which everybody has, were a secret of both."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    header = {"alg": "HS256", "typ": "JWT", "kid": provider.key.id}
    signed = ".".join(part(json.dumps(each).encode()) for each in (header, provider.claims("ines")))
    return f"{signed}.{part(hmac.new(provider.key.public_pem, signed.encode(), hashlib.sha256).digest())}"


def _changed(token: str) -> str:
    header, claims, signature = token.split(".")
    middle = len(claims) // 2
    return (
        f"{header}.{claims[:middle]}{'A' if claims[middle] != 'A' else 'B'}{claims[middle + 1 :]}.{signature}"
    )


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_is_not_good_is_refused_in_the_same_words(
    provider: Provider, tokens: Tokens, name: str
) -> None:
    # What names no key of the provider makes us ask for its keys, which was only just done.
    with pytest.raises(DeniedError) as denied:
        tokens.identify(BAD[name](provider))
    assert (denied.value.status, str(denied.value)) == (
        401,
        "the token is not accepted, or it has ended: sign in again",
    )


def test_a_clock_that_is_a_little_ahead_is_forgiven(provider: Provider, tokens: Tokens) -> None:
    assert status(tokens, provider.token("ines", iat=int(time.time()) + 5)) == 200


def test_a_token_for_several_is_good_where_ours_is_the_client(provider: Provider, tokens: Tokens) -> None:
    assert status(tokens, provider.token("ines", aud=["another", CLIENT], azp=CLIENT)) == 200


def test_somebody_whom_no_rule_gives_a_right_is_told_so(provider: Provider, tokens: Tokens) -> None:
    with pytest.raises(DeniedError, match="oidc:guest is signed in, but no rule") as denied:
        tokens.identify(provider.token("guest"))
    assert denied.value.status == 403


def test_a_token_ends_when_it_says(provider: Provider) -> None:
    now = time.time()
    taken = Tokens(File(issuer(provider)), clock=lambda: now, keys_of=_fetched)
    token = provider.token("ines", exp=int(now) + 60)
    key = taken.identify(token).key
    assert not taken.ended(key)
    now += 61
    assert taken.ended(key)
    assert status(taken, token) == 401


def _fetched(of: Issuer) -> Jwks:
    keys = Jwks(of)
    keys.fetch()
    return keys


# -- the issuer's keys


class Ahead:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_unknown_key_is_fetched_at_most_every_few_seconds(provider: Provider) -> None:
    clock, made = Ahead(), list[Jwks]()

    def keys_of(of: Issuer) -> Jwks:
        made.append(Jwks(of, clock))
        return made[-1]

    taken = Tokens(File(issuer(provider)), keys_of=keys_of)
    (keys,) = made
    keys.fetch()
    old = provider.key
    signed_before = provider.token("ines")
    assert status(taken, signed_before) == 200
    try:
        provider.rotate()
        assert status(taken, provider.token("ines")) == 401  # They were only just fetched.
        clock.now += 6
        with pytest.raises(NotYetError) as early:
            taken.identify(provider.token("ines"))
        assert early.value.coming is not None
        assert not early.value.coming.done()
        keys.fetch()
        assert early.value.coming.done()
        assert status(taken, provider.token("ines")) == 200
        # What was signed with a key that the issuer has withdrawn is good no longer.
        assert status(taken, signed_before) == 401
        clock.now += 6
        unknown = provider.signed(provider.claims("ines"), SigningKey())
        for _ in range(3):
            assert status(taken, unknown) == 503
        keys.fetch()
        assert status(taken, unknown) == 401
    finally:
        provider.key, provider.published = old, [old]


def test_keys_that_cannot_be_fetched_again_hold(provider: Provider, tokens: Tokens) -> None:
    clock = Ahead()
    gone = Provider(USERS)
    gone.key = provider.key
    gone.published = [gone.key]
    with gone:
        made = Jwks(issuer(gone), clock)
        taken = Tokens(File(issuer(gone)), keys_of=lambda _: made)
        assert made.fetch()
    assert not made.fetch()
    assert status(taken, gone.token("ines")) == 200
    # Whether the issuer knows this key by now cannot be told.
    assert status(taken, gone.signed(gone.claims("ines"), SigningKey())) == 503


def test_an_issuer_that_is_away_at_the_start_is_asked_until_it_answers(tmp_path: Path) -> None:
    provider = Provider(USERS)
    with provider:
        url = provider.url
    door = Access(DOOR, Keyring(tmp_path / FILE_NAME), tokens=Tokens(File(Issuer(url, (CLIENT,), RULES))))
    door.start()
    try:
        _, secret = Keyring(tmp_path / FILE_NAME).create(["acme"], ["read"], now=_now())
        door.refresh()
        assert door.admit("GET", "/v1/reports", f"Bearer {secret}").tenants == ("acme",)
        token = provider.token("ines")
        assert _asked(door, token) == 503
        with provider:
            until(lambda: _asked(door, token) == 200, "its keys are fetched")
    finally:
        door.close()


def _now() -> datetime:
    return datetime.now(UTC)


def _asked(door: Access, token: str, route: str = "GET /v1/reports") -> int:
    try:
        method, path = route.split()
        door.admit(method, path, f"Bearer {token}")
    except DeniedError as denied:
        return denied.status
    return 200


async def test_a_request_waits_for_keys_that_are_on_their_way(provider: Provider, tmp_path: Path) -> None:
    clock = Ahead()
    keys = Jwks(issuer(provider), clock)
    door = Access(
        DOOR, Keyring(tmp_path / FILE_NAME), tokens=Tokens(File(issuer(provider)), keys_of=lambda _: keys)
    )
    waiting = [
        asyncio.create_task(door.admitted("GET", "/v1/reports", f"Bearer {provider.token('ines')}"))
        for _ in range(5)
    ]
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    await asyncio.to_thread(keys.fetch)
    assert {each.id for each in await asyncio.gather(*waiting)} == {"oidc:ines"}
    assert provider.asked == ["/.well-known/openid-configuration", "/jwks"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"issuer": "https://evil.example.com"}, "is of 'https://evil.example.com'"),
        ({"jwks_uri": "http://evil.example.com/jwks"}, "which is not https"),
        ({"jwks_uri": None}, "which is not https"),
    ],
    ids=["another issuer", "keys in the clear", "no keys"],
)
def test_a_discovery_document_that_is_not_the_issuers_gives_no_keys(
    provider: Provider,
    document: dict[str, Any],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = {"issuer": provider.url, "jwks_uri": f"{provider.url}/jwks", **document}
    monkeypatch.setattr("collector.keys.jwks._document", lambda *_: found)
    assert not Jwks(issuer(provider)).fetch()
    assert says in caplog.text


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_keys_of_other_kinds_are_left_out(provider: Provider) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    elliptic = {**ECAlgorithm.to_jwk(curve.public_key(), as_dict=True), "kid": "curve"}
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it is refused
    published: list[dict[str, Any]] = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        {**provider.key.public, "kid": "encrypts", "use": "enc"},
        {**provider.key.public, "kid": "other", "alg": "RS512"},
        {"kty": "RSA", "n": 1, "e": [], "kid": "broken"},
        {**provider.key.public, "kid": ["list"]},
        {**RSAAlgorithm.to_jwk(short.public_key(), as_dict=True), "kid": "short"},
        elliptic,
    ]

    class Published:
        def __init__(self, public: dict[str, Any]) -> None:
            self.public = public

    provider.published = [provider.key, *map(Published, published)]  # type: ignore[list-item]
    keys = _fetched(issuer(provider))
    names = ("secret", "encrypts", "other", "broken", "curve", provider.key.id, None)
    assert [each for each in names if keys.find(each)] == ["curve", provider.key.id]
    taken = Tokens(File(issuer(provider)), keys_of=lambda _: keys)
    assert status(taken, jwt.encode(provider.claims("ines"), curve, "ES256", {"kid": "curve"})) == 200
    assert status(taken, jwt.encode(provider.claims("ines"), short, "RS256", {"kid": "short"})) == 401


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://id.example.com/realms/a", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://id.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("", False),
    ],
)
def test_keys_come_over_tls_or_from_this_machine(url: str, *, safe: bool) -> None:
    assert is_safe(url) is safe


# -- the file


def test_a_change_of_the_rules_holds_for_whoever_is_signed_in(provider: Provider) -> None:
    file = File(issuer(provider))
    taken = Tokens(file, keys_of=_fetched)
    ines, guest = provider.token("ines"), provider.token("guest")
    before = taken.identify(ines).key
    assert status(taken, guest) == 403
    provider.asked.clear()
    file.value = issuer(provider, rules=(Rule("sub", equals="guest", scopes=("read",), tenants=("acme",)),))
    taken.look()
    assert (status(taken, ines), status(taken, guest)) == (403, 200)
    assert taken.ended(before)
    assert provider.asked == []


def test_rights_that_stay_go_on_through_a_change_of_the_rules(provider: Provider) -> None:
    file = File(issuer(provider))
    taken = Tokens(file, keys_of=_fetched)
    key = taken.identify(provider.token("ines")).key
    file.value = issuer(provider, rules=(*RULES, Rule("sub", equals="guest", scopes=("owner:x",))))
    taken.look()
    assert not taken.ended(key)


def test_a_change_of_whom_is_trusted_makes_every_token_prove_itself_again(provider: Provider) -> None:
    file = File(issuer(provider))
    taken = Tokens(file, keys_of=_fetched)
    token = provider.token("ines")
    key = taken.identify(token).key
    for other in (issuer(provider, audience=("another",)), issuer(provider, algorithms=("ES256",)), None):
        file.value = other
        taken.look()
        assert status(taken, token) in (401, 503)
        assert taken.ended(key)
    file.value = issuer(provider)
    taken.look()
    assert status(taken, token) == 200


# -- beside keys


def test_tokens_close_the_door_to_whoever_has_neither(
    provider: Provider, tokens: Tokens, tmp_path: Path
) -> None:
    door = Access(DOOR, Keyring(tmp_path / FILE_NAME), root="r.o.t", keyless=True, tokens=tokens)
    _, secret = Keyring(tmp_path / FILE_NAME).create(["acme"], ["read"], now=_now())
    door.refresh()
    token = provider.token("ines")
    given = ("", "x", "a.b.c", "r.o.t", secret, token)
    assert [_asked(door, each) for each in given] == [401, 401, 401, 200, 200, 200]
    assert _asked(door, token, "POST /v1/settlements") == 403
    with pytest.raises(DeniedError):
        door.admit("GET", "/v1/reports", f"Basic {token}")
    door.check(door.admit("GET", "/v1/reports", f"Bearer {token}"))


def test_without_an_issuer_a_token_is_no_key(provider: Provider, tmp_path: Path) -> None:
    door = Access(DOOR, Keyring(tmp_path / FILE_NAME), root="r")
    assert _asked(door, provider.token("ines")) == 401


def test_an_answer_that_took_long_is_not_given_once_the_token_has_ended(
    provider: Provider, tmp_path: Path
) -> None:
    now = time.time()
    taken = Tokens(File(issuer(provider)), clock=lambda: now, keys_of=_fetched)
    door = Access(DOOR, Keyring(tmp_path / FILE_NAME), tokens=taken, clock=lambda: now)
    key = door.admit("GET", "/v1/reports", f"Bearer {provider.token('ines')}")
    door.check(key)
    now += 4000
    with pytest.raises(DeniedError):
        door.check(key)


def test_a_token_is_verified_once_and_not_for_keys(
    provider: Provider, tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified, real = [], jwt.decode

    def decode(token: str, *given: Any, **more: Any) -> Any:
        verified.append(token)
        return real(token, *given, **more)

    monkeypatch.setattr(jwt, "decode", decode)
    door = Access(DOOR, Keyring(tmp_path / FILE_NAME), root="r", tokens=tokens)
    token = provider.token("ines")
    for _ in range(5):
        assert (_asked(door, token), _asked(door, "r"), _asked(door, "sg_000000000000_x")) == (200, 200, 401)
    assert verified == [token]


def test_only_so_many_tokens_are_remembered(
    provider: Provider, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.keys.tokens._MOST", 10)
    several = [provider.token("ines", jti=str(number)) for number in range(15)]
    assert {status(tokens, each) for each in several} == {200}
    assert len(tokens._trust.known) <= 10  # type: ignore[union-attr]
    assert status(tokens, several[0]) == 200


def test_many_threads_are_told_the_same(provider: Provider, tokens: Tokens) -> None:
    several = [provider.token("ines", jti=str(number)) for number in range(8)] + [provider.token("guest")]

    def ask(number: int) -> tuple[int, int]:
        which = number % len(several)
        tokens.look()
        return which, status(tokens, several[which])

    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(ask, range(900)))
    assert told == {(number, 403 if number == 8 else 200) for number in range(9)}


def test_why_a_token_is_refused_stands_in_the_log_once_a_minute(
    provider: Provider, tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    token = provider.token("ines", aud="another-client")
    for _ in range(3):
        assert status(tokens, token) == 401
    assert len(caplog.records) == 1
    assert "Audience" in caplog.text
    assert token not in caplog.text


def test_a_holder_has_no_secret(provider: Provider, tokens: Tokens) -> None:
    token = provider.token("ines")
    holder = tokens.identify(token)
    assert isinstance(holder, Holder)
    assert token not in repr(tokens.__dict__) + repr(tokens._trust.known)  # type: ignore[union-attr]


def test_nonsense_that_is_new_each_time_fills_no_log(
    tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    for place in range(200):
        header = base64.urlsafe_b64encode(b"x" * place + b"\xff").decode().rstrip("=")
        assert status(tokens, f"{header}.e30.AA") == 401
    assert 1 < len(caplog.records) <= 20
