"""A small OpenID Connect provider on a real socket: whoever is chosen is signed in without a password.

    with Provider({"ines": {"email": "ines@example.com", "groups": ["finance"]}}) as provider:
        provider.url            the issuer: discovery, keys, the authorization code flow with nonce and PKCE
        provider.token("ines")  an ID token, as signing in brings it

At `/authorize` the user of `login_hint` is signed in at once; without one a page has a button for each.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote_plus, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from serving import Serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

__all__ = ["CLIENT", "SECRET", "Provider", "SigningKey"]

CLIENT, SECRET = "switchgear", "a test's client secret"
LIVES_S = 3600


class SigningKey:
    """A key that a provider signs with."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.id = secrets.token_hex(8)

    @property
    def public(self) -> dict[str, Any]:
        """What the provider tells of it."""
        found: dict[str, Any] = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**found, "kid": self.id, "use": "sig", "alg": "RS256"}

    @property
    def public_pem(self) -> bytes:
        """The public half, as an attacker would use it for a secret."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class _Code:
    """An authorization that was not taken up yet."""

    user: str
    client: str
    redirect_uri: str
    nonce: str | None
    challenge: str | None


class Provider:
    """The provider of these users, by name and with the claims that their tokens have beside the usual ones."""

    def __init__(self, users: Mapping[str, Mapping[str, Any]], port: int = 0) -> None:
        self.users = dict(users)
        self.key = SigningKey()
        self.published = [self.key]
        """The keys at its `jwks_uri`."""
        self.asked: list[str] = []
        """The paths that it was asked for, in order."""
        self.lives_s = LIVES_S
        """How long a token is good, in seconds."""
        self.url = ""
        self._port = port
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, str] = {}
        routes = [
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/jwks", self._jwks),
            Route("/authorize", self._authorize, methods=["GET", "POST"]),
            Route("/token", self._token, methods=["POST"]),
            Route("/userinfo", self._userinfo),
            Route("/logout", self._logout),
        ]
        self.app = Starlette(routes=routes)
        self._serving: Serving | None = None

    def __enter__(self) -> Self:
        self._serving = Serving(self.app, self._port)
        self._port = self._serving.port
        self.url = self._serving.url
        return self

    def __exit__(self, *_: object) -> None:
        if self._serving is not None:
            self._serving.stop()
            self._serving = None

    def rotate(self) -> SigningKey:
        """Sign with another key from now on, and name it alone; the key until now."""
        old, self.key = self.key, SigningKey()
        self.published = [self.key]
        return old

    def claims(self, user: str, **changes: Any) -> dict[str, Any]:
        """What a token of a user says; a change to None leaves the claim out."""
        now = int(time.time())
        whole = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": user,
            "iat": now,
            "exp": now + self.lives_s,
            "email_verified": True,
            **self.users[user],
            **changes,
        }
        return {name: value for name, value in whole.items() if value is not None}

    def token(self, user: str, **changes: Any) -> str:
        """An ID token of a user."""
        return self.signed(self.claims(user, **changes))

    def signed(self, claims: Mapping[str, Any], key: SigningKey | None = None, **header: Any) -> str:
        """A token that says this."""
        key = key or self.key
        return jwt.encode(dict(claims), key.private, algorithm="RS256", headers={"kid": key.id, **header})

    async def _discovery(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "end_session_endpoint": f"{self.url}/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _jwks(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse({"keys": [each.public for each in self.published]})

    async def _authorize(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        asked = dict(request.query_params) | {k: str(v) for k, v in (await request.form()).items()}
        if asked.get("client_id") != CLIENT or asked.get("response_type") != "code":
            return JSONResponse({"error": "unauthorized_client"}, 400)
        if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, 400)
        user = asked.get("user") or asked.get("login_hint")
        if user not in self.users:
            return HTMLResponse(self._choice(asked))
        code = secrets.token_urlsafe(16)
        self._codes[code] = _Code(
            user, CLIENT, asked["redirect_uri"], asked.get("nonce"), asked.get("code_challenge")
        )
        back = urlencode({"code": code, "state": asked.get("state", "")})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", 303)

    def _choice(self, asked: Mapping[str, str]) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        buttons = "".join(
            f'<button name="user" value="{html.escape(each)}">{html.escape(each)}</button>'
            for each in self.users
        )
        return f'<form method="post" action="/authorize">{hidden}{buttons}</form>'

    async def _token(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        form = {name: str(value) for name, value in (await request.form()).items()}
        if not self._is_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or form.get("redirect_uri") != code.redirect_uri or not _proves(code, form):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(16)
        self._access[access] = code.user
        return JSONResponse(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": self.lives_s,
                "id_token": self.token(code.user, nonce=code.nonce),
            },
            headers={"Cache-Control": "no-store"},
        )

    def _is_client(self, request: Request, form: Mapping[str, str]) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            client, _, secret = base64.b64decode(given).decode().partition(":")
            client, secret = unquote_plus(client), unquote_plus(secret)
        else:
            client, secret = form.get("client_id", ""), form.get("client_secret", "")
        return client == CLIENT and hmac.compare_digest(secret, SECRET)

    async def _userinfo(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        user = self._access.get(request.headers.get("authorization", "").partition(" ")[2])
        if user is None:
            return JSONResponse({"error": "invalid_token"}, 401)
        return Response(json.dumps({"sub": user, **self.users[user]}), media_type="application/json")

    async def _logout(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        where = request.query_params.get("post_logout_redirect_uri")
        return RedirectResponse(where, 303) if where else HTMLResponse("signed out")


def _proves(code: _Code, form: Mapping[str, str]) -> bool:
    """Whether whoever has the code also began the sign-in (PKCE), where they said that they would prove it."""
    if code.challenge is None:
        return True
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), code.challenge)
