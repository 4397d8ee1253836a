"""Notices files: YAML in, a NoticeSet or a report of every error with its line out. Secrets stand elsewhere.

A secret is named by where it is, in the environment or in a file of its own, and appears in no error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analytics import documents
from analytics.documents import DocumentError, Location

from ..model import Dimension
from .addresses import Network
from .events import Kind
from .formats import signing_key
from .model import Destination, Mail, NoticeSet, Slack, Tls, Webhook

__all__ = ["NoticeFileError", "load"]

_PORTS = {Tls.STARTTLS: 587, Tls.TLS: 465, Tls.NONE: 25}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class NoticeFileError(DocumentError):
    """A notices file that cannot be used; its text is one line per error: file:line: where: why."""


def _seconds(value: Any) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", str(value))
    if match is None or float(match[1]) <= 0:
        raise ValueError(f'"{value}" is not a length of time; write "30s", "5m" or "1h"')
    return float(match[1]) * _SECONDS[match[2]]


def _network(value: Any) -> Network:
    try:
        return ip_network(str(value))
    except ValueError as error:
        raise ValueError(f'"{value}" is not a network: {error}; write "10.20.0.0/16"') from None


def _address(value: Any) -> str:
    # One address without a name beside it: whatever else mail allows there is one more way into a header.
    if not isinstance(value, str) or not re.fullmatch(
        r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(\.[\w-]+)*", value, re.ASCII
    ):
        raise ValueError('not a mail address; write "care@example.com"')
    return value


Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]
Seconds = Annotated[float, BeforeValidator(_seconds)]
Allowed = Annotated[Network, BeforeValidator(_network)]
MailAddress = Annotated[str, BeforeValidator(_address)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class _SecretDocument(_Strict):
    env: Name | None = None
    file: Name | None = None

    @model_validator(mode="after")
    def _one_place(self) -> _SecretDocument:
        if (self.env is None) == (self.file is None):
            raise ValueError('say where the secret is: write "{env: NAME}" or "{file: PATH}" here')
        return self


# A secret that was written into the file itself must not come back in the error that refuses it.
SecretDocument = Annotated[
    _SecretDocument, BeforeValidator(lambda given: given if isinstance(given, Mapping) else {})
]


class WebhookDocument(_Strict):
    url: Name
    secret: SecretDocument


class SlackDocument(_Strict):
    url: SecretDocument


class MailDocument(_Strict):
    server: Name
    port: int | None = Field(default=None, ge=1, le=65535)
    tls: Tls = Tls.STARTTLS
    user: Name | None = None
    password: SecretDocument | None = None
    sender: MailAddress = Field(alias="from")
    to: list[MailAddress] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _whole_login(self) -> MailDocument:
        if (self.user is None) != (self.password is None):
            raise ValueError('a login is "user" and "password", or neither')
        if self.user is not None and self.tls is Tls.NONE:
            raise ValueError('a password is sent encrypted only; write "tls: starttls" or "tls: tls"')
        return self


class DestinationDocument(_Strict):
    name: Name
    webhook: WebhookDocument | None = None
    slack: SlackDocument | None = None
    email: MailDocument | None = None
    tell: list[Kind] = Field(default=list(Kind), min_length=1)
    scopes: list[dict[Dimension, Name]] = []
    ceilings: list[Name] = []
    shadow: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> DestinationDocument:
        if sum(way is not None for way in (self.webhook, self.slack, self.email)) != 1:
            raise ValueError('say how to get there: one of "webhook", "slack" and "email"')
        return self


class NoticeDocument(_Strict):
    version: int = Field(ge=1, le=1)
    interval: Seconds = 30.0
    allow: list[Allowed] = []
    destinations: list[DestinationDocument] = Field(min_length=1, max_length=100)


def load(path: Path, environment: Mapping[str, str] | None = None) -> NoticeSet:
    """What the file says, with the secrets that it names. Raises NoticeFileError that tells of everything wrong."""
    try:
        tree = documents.tree_of(documents.read(path), str(path))
        document = documents.validated(NoticeDocument, tree, str(path))
    except DocumentError as error:
        raise NoticeFileError(str(error)) from None
    reader = _Reader(path.parent, os.environ if environment is None else environment)
    destinations = [reader.destination(at, each) for at, each in enumerate(document.destinations)]
    problems = [*reader.problems, *_twice(document)]
    if problems:
        raise NoticeFileError(str(documents.refused(tree, str(path), problems)))
    return NoticeSet(tuple(destinations), document.interval, tuple(document.allow))


def _twice(document: NoticeDocument) -> Iterator[tuple[Location, str]]:
    names = [each.name for each in document.destinations]
    for at, name in enumerate(names):
        if name in names[:at]:
            yield ("destinations", at, "name"), f'"{name}" is another destination\'s name too'


class _Reader:
    """Turns destinations into values; what is wrong with a secret is kept in `problems` and stands in for it as ""."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self.problems: list[tuple[Location, str]] = []

    def destination(self, at: int, document: DestinationDocument) -> Destination:
        here: Location = ("destinations", at)
        return Destination(
            document.name,
            self._way(here, document),
            frozenset(document.tell),
            tuple({str(name): pattern for name, pattern in scope.items()} for scope in document.scopes),
            tuple(document.ceilings),
            document.shadow,
        )

    def _way(self, here: Location, document: DestinationDocument) -> Webhook | Slack | Mail:
        if webhook := document.webhook:
            here = (*here, "webhook")
            self._check((*here, "url"), webhook.url)
            return Webhook(webhook.url, self._keys((*here, "secret"), webhook.secret))
        if slack := document.slack:
            here = (*here, "slack", "url")
            url = self._secret(here, slack.url)
            if url:
                self._check(here, url)
            return Slack(url)
        mail = document.email
        assert mail is not None  # noqa: S101 - the document has one of the three
        login = None
        if mail.user is not None and mail.password is not None:
            login = (mail.user, self._secret((*here, "email", "password"), mail.password))
        port = mail.port or _PORTS[mail.tls]
        return Mail(mail.server, port, mail.tls, mail.sender, tuple(mail.to), login)

    def _check(self, here: Location, text: str) -> None:
        try:
            url = httpx.URL(text)
            fits = url.scheme in ("http", "https") and url.host != "" and not url.userinfo
        except (httpx.InvalidURL, ValueError):
            fits = False
        if not fits:
            self.problems.append(
                (here, 'is no address; write "https://host/path", without user and password')
            )

    def _keys(self, here: Location, given: _SecretDocument) -> tuple[bytes, ...]:
        """One key, or two with a space or a line end between them: while a receiver changes to another."""
        try:
            return tuple(signing_key(secret) for secret in self._secret(here, given).split())
        except ValueError as error:
            self.problems.append((here, str(error)))
            return ()

    def _secret(self, here: Location, given: _SecretDocument) -> str:
        """The secret without the line end that editors leave."""
        if given.env is not None:
            where, found = f"the variable {given.env}", self._environment.get(given.env, "")
        else:
            path = self._folder / str(given.file)
            where = f"the file {path}"
            try:
                found = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not text"
                self.problems.append((here, f"{where} cannot be read: {why}"))
                return ""
        if not found.strip():
            self.problems.append((here, f"{where} holds nothing; put the secret there"))
        return found.strip()
