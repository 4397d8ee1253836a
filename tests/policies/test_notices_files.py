"""Notices files: what they say, and each error with its line and without a secret."""

from __future__ import annotations

import base64
from ipaddress import ip_network
from pathlib import Path

import pytest

from policies.notices import NoticeFileError, load
from policies.notices.events import Kind
from policies.notices.model import Destination, Mail, NoticeSet, Slack, Tls, Webhook

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = {"KEY": KEY, "BOTH": f"{KEY} whsec_{'QUJD' * 8}", "SLACK": "https://hooks.example/T/B/s3cret"}
FILE = """\
version: 1
interval: 1m
allow: [10.20.0.0/16, "::1/128"]
destinations:
  - name: on-call
    webhook: {url: "https://hooks.example/x", secret: {env: BOTH}}
    tell: [trip]
    ceilings: ["h*"]
  - name: acme
    slack: {url: {env: SLACK}}
    scopes: [{tenant: acme, tier: interactive}]
    shadow: true
  - name: mail
    email: {server: smtp.example, tls: tls, user: u, password: {file: word}, from: a@example, to: [b@c.example]}
"""


def test_a_whole_file_is_read_with_the_secrets_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_text(FILE)
    (tmp_path / "word").write_text("pass word\n")
    keys = (base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), b"ABC" * 8)
    assert load(tmp_path / "n.yaml", ENVIRONMENT) == NoticeSet(
        (
            Destination(
                "on-call", Webhook("https://hooks.example/x", keys), frozenset({Kind.TRIP}), (), ("h*",)
            ),
            Destination(
                "acme",
                Slack("https://hooks.example/T/B/s3cret"),
                scopes=({"tenant": "acme", "tier": "interactive"},),
                shadow=True,
            ),
            Destination(
                "mail", Mail("smtp.example", 465, Tls.TLS, "a@example", ("b@c.example",), ("u", "pass word"))
            ),
        ),
        60.0,
        (ip_network("10.20.0.0/16"), ip_network("::1/128")),
    )


def test_no_secret_stands_in_what_the_values_print(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_text(FILE)
    (tmp_path / "word").write_text("pass word\n")
    printed = repr(load(tmp_path / "n.yaml", ENVIRONMENT))
    assert not [word for word in ("pass word", "s3cret", "ABCABC") if word in printed]


HOOK = '    webhook: {url: "https://h.example/x", secret: {env: KEY}}\n'
HEAD = "version: 1\ndestinations:\n  - name: d\n"


def mail(more: str) -> str:
    return HEAD + f"    email: {{server: s, {more}}}\n"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        pytest.param("version: 1\n", 1, "destinations: is missing", id="no destinations"),
        pytest.param(
            "version: 2\ndestinations: [{name: d, webhook: {url: https://h.example, secret: {env: KEY}}}]\n",
            1,
            "version: ",
            id="another version",
        ),
        pytest.param("version: 1\ndestinations: []\n", 2, "at least 1 item", id="nobody"),
        pytest.param(HEAD, 3, 'one of "webhook", "slack" and "email"', id="no way"),
        pytest.param(
            HEAD + HOOK + "    slack: {url: {env: SLACK}}\n", 3, 'one of "webhook", "slack"', id="two ways"
        ),
        pytest.param(HEAD + HOOK + "    tel: [trip]\n", 5, "no such setting here", id="unknown setting"),
        pytest.param(
            HEAD + HOOK + "    tell: [trips]\n", 5, "none of: trip, warn, recovery, review", id="unknown kind"
        ),
        pytest.param(HEAD + HOOK + "    tell: []\n", 5, "at least 1 item", id="no kind"),
        pytest.param(
            HEAD + HOOK + "    scopes: [{team: a}]\n", 5, "none of: tenant, workload", id="unknown dimension"
        ),
        pytest.param(HEAD + HOOK + "  - name: d\n" + HOOK, 5, "another destination's name", id="same name"),
        pytest.param("interval: 30\n" + HEAD + HOOK, 1, '"30" is not a length of time', id="no unit of time"),
        pytest.param("interval: 0s\n" + HEAD + HOOK, 1, "not a length of time", id="no interval"),
        pytest.param("allow: [10.0.0.1/8]\n" + HEAD + HOOK, 1, "is not a network", id="host bits"),
        pytest.param(
            HEAD + '    webhook: {url: "ftp://h.example/x", secret: {env: KEY}}\n',
            4,
            "is no address",
            id="no http",
        ),
        pytest.param(
            HEAD + '    webhook: {url: "https://0177.0.0.1/x", secret: {env: KEY}}\n',
            4,
            "is no address",
            id="octal",
        ),
        pytest.param(
            HEAD + '    webhook: {url: "https://s3cret@h.example", secret: {env: KEY}}\n',
            4,
            "without user and password",
            id="login in a URL",
        ),
        pytest.param(
            HEAD + "    webhook: {url: https://h.example, secret: whsec_s3cret}\n",
            4,
            'write "{env: NAME}" or "{file: PATH}"',
            id="secret in the file",
        ),
        pytest.param(
            HEAD + "    slack: {url: https://h.example/s3cret}\n",
            4,
            "where the secret is",
            id="URL in the file",
        ),
        pytest.param(
            HEAD + "    slack: {url: {env: SLACK, file: f}}\n", 4, "where the secret is", id="two places"
        ),
        pytest.param(
            HEAD + "    slack: {url: {env: NONE}}\n", 4, "the variable NONE holds nothing", id="no variable"
        ),
        pytest.param(
            HEAD + "    slack: {url: {file: none}}\n", 4, "cannot be read", id="no file of a secret"
        ),
        pytest.param(HEAD + "    slack: {url: {env: BAD}}\n", 4, "is no address", id="no URL in a secret"),
        pytest.param(
            HEAD + "    webhook: {url: https://h.example, secret: {env: BAD}}\n",
            4,
            "is no signing secret",
            id="no key in a secret",
        ),
        pytest.param(mail("from: a@b, to: []"), 4, "at least 1 item", id="no recipient"),
        pytest.param(
            mail('from: "A <a@b>", to: [c@d]'), 4, "not a mail address", id="a name beside an address"
        ),
        pytest.param(mail(r'from: a@b, to: ["c@d\r\nBcc: e@f"]'), 4, "not a mail address", id="a header"),
        pytest.param(mail(r'from: a@b, to: ["c@d\n"]'), 4, "not a mail address", id="a line end"),
        pytest.param(
            mail("from: a@b, to: [c@d], user: u"), 4, 'a login is "user" and "password"', id="half a login"
        ),
        pytest.param(
            mail("from: a@b, to: [c@d], tls: none, user: u, password: {env: BAD}"),
            4,
            "sent encrypted only",
            id="login without encryption",
        ),
        pytest.param(
            mail("from: a@b, to: [c@d], tls: ssl"), 4, "none of: starttls, tls, none", id="no such TLS"
        ),
    ],
)
def test_an_error_is_told_with_its_line_and_no_secret(tmp_path: Path, text: str, line: int, why: str) -> None:
    path = tmp_path / "n.yaml"
    path.write_text(text)
    with pytest.raises(NoticeFileError) as refused:
        load(path, ENVIRONMENT | {"BAD": "s3cret"})
    (told,) = str(refused.value).splitlines()
    assert told.startswith(f"{path}:{line}:")
    assert why in told
    assert "s3cret" not in told


def test_every_error_is_told(tmp_path: Path) -> None:
    path = tmp_path / "n.yaml"
    path.write_text(HEAD + "    slack: {url: {env: NONE}}\n  - name: d\n    slack: {url: {file: none}}\n")
    with pytest.raises(NoticeFileError) as refused:
        load(path, {})
    assert len(str(refused.value).splitlines()) == 3
