"""What becomes a message, how messages are grouped, and what they say, in virtual time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.notices.events import Event, Kind, Place, event
from policies.notices.formats import letter, signature, signing_key, slack, webhook
from policies.notices.grouping import MOST, Group, Grouping
from policies.notices.messages import Message, message
from policies.notices.model import Destination, Mail, Slack, Tls

TO = Slack("https://chat.example/x")
MAIL = Mail("smtp.example", 587, Tls.STARTTLS, "switchgear@example.com", ("ann@example.com",))


def line(number: int = 1, to: str = "open", **more: Any) -> dict[str, Any]:
    at = datetime(2026, 11, 24, 2, 13, number % 60, tzinfo=UTC).isoformat()
    return {
        "id": number, "at": at, "policy": "hour", "scope": {"tenant": "acme"}, "from": "closed", "to": to,
        "by": "engine", "reason": "a call no longer fits", "spent": "0.990", "held": "0", "projected": "1.2",
        "ceiling": "1", "currency": "USD", "shadow": False, "hash": hashlib.sha256(b"%d" % number).hexdigest(),
        **more,
    }  # fmt: skip


def news(number: int = 1, to: str = "open", **more: Any) -> Event:
    found = event(line(number, to, **more))
    assert found is not None
    return found


def grouped(*events: Event) -> Group:
    grouping = Grouping(30.0, Place(0, ""))
    for each in events:
        grouping.add(each)
    group = grouping.cut()
    assert group is not None
    return group


def said(*events: Event) -> Message:
    return message(grouped(*events))


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        ("warned", Kind.WARN),
        ("throttled", Kind.TRIP),
        ("open", Kind.TRIP),
        ("forced_open", Kind.TRIP),
        ("disabled", Kind.TRIP),
        ("closed", Kind.RECOVERY),
    ],
)
def test_a_line_of_the_log_is_news_of_a_kind(to: str, kind: Kind) -> None:
    assert news(to=to).kind is kind


@pytest.mark.parametrize("to", ["half_open", "something new"])
def test_a_breaker_on_its_way_is_no_news(to: str) -> None:
    assert event(line(to=to)) is None


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        ({}, {}, True),
        ({"kinds": frozenset({Kind.WARN})}, {}, False),
        ({"scopes": ({"tenant": "acme"},)}, {}, True),
        ({"scopes": ({"tenant": "ac*"},)}, {}, True),
        ({"scopes": ({"tenant": "globex"}, {"tenant": "acme"})}, {}, True),
        ({"scopes": ({"tenant": "acme", "workload": "w"},)}, {}, False),
        ({"scopes": ({"tenant": "*"},)}, {"scope": {}}, False),
        ({"scopes": ({"tenant": "acme"},)}, {"scope": {"tenant": "acme-two"}}, False),
        ({"ceilings": ("ho*", "day")}, {}, True),
        ({"ceilings": ("day",)}, {}, False),
        ({"ceilings": ("h?ur", "[h]our")}, {}, False),
        ({}, {"shadow": True}, False),
        ({"shadow": True}, {"shadow": True}, True),
        ({"shadow": True}, {}, True),
    ],
    ids=[
        "everything", "another kind", "its tenant", "a pattern", "one of two", "half a scope", "over all tenants",
        "a longer name", "a ceiling's pattern", "another ceiling", "no wildcard", "in shadow",
        "in shadow too", "not in shadow",
    ],
)  # fmt: skip
def test_a_destination_is_told_what_it_wants(
    wanted: dict[str, Any], found: dict[str, Any], *, told: bool
) -> None:
    assert Destination("d", TO, **wanted).wants(news(**found)) is told


def test_the_first_leaves_at_once_and_what_follows_leaves_together_every_interval() -> None:
    grouping = Grouping(30.0, Place(0, ""))
    leaving: list[tuple[float, int]] = []
    # Seconds at which another breaker trips; looked at each second.
    trips = [5, 6, 20, 34, 36, 64, 100]
    for now in range(130):
        if now in trips:
            grouping.add(news(now, policy=f"p{now}"))
        if group := grouping.cut(now):
            leaving.append((now, len(group.changes)))
    # 5 at once; 6, 20 and 34 at 5 + 30; 36 and 64 at 35 + 30; 100 at once, as 65 + 30 is over.
    assert leaving == [(5, 1), (35, 3), (65, 2), (100, 1)]


def test_nothing_is_due_where_nothing_happened_and_the_rest_of_the_interval_where_something_did() -> None:
    grouping = Grouping(30.0, Place(0, ""))
    assert (grouping.due_at, grouping.cut(7.0)) == (None, None)
    grouping.add(news())
    assert grouping.cut(7.0) is not None
    grouping.add(news())
    assert (grouping.due_at, grouping.cut(36.9)) == (7.0 + 30.0, None)


def test_a_breaker_that_moves_to_and_fro_is_one_line_with_a_count() -> None:
    states = ["open", "closed", "open", "closed", "open"]
    (told,) = said(*(news(number, to) for number, to in enumerate(states))).lines
    assert told == (
        "hour (tenant acme) is open since 2026-11-24 02:13:04 UTC: a call no longer fits "
        "(spent 0.99, held 0, projected 1.2 of 1 USD). It changed 5 times since 2026-11-24 02:13:00 UTC."
    )


def test_a_breaker_in_shadow_and_one_of_another_task_are_others() -> None:
    others = [news(2, shadow=True), news(3, scope={"tenant": "acme", "task": "t"}), news(4, policy="day")]
    assert len(said(news(1), *others).lines) == 4


def test_a_message_says_trips_first_and_counts_them_in_its_subject() -> None:
    told = said(
        news(1, "closed", policy="a"),
        news(2, "warned", policy="b"),
        news(3, policy="c"),
        news(4, "forced_open", policy="d", by="ann", scope={}),
    )
    assert [one.partition(" since ")[0] for one in told.lines] == [
        "c (tenant acme) is open",
        "d is forced open by ann",
        "b (tenant acme) has reached its warning",
        "a (tenant acme) is closed again",
    ]
    assert told.subject == "switchgear: 4 breakers: 2 tripped, 1 warned, 1 recovered"
    assert said(news(shadow=True)).subject == "switchgear: hour (tenant acme, in shadow) is open"


def test_beyond_fifty_breakers_the_rest_is_counted() -> None:
    told = said(
        *(news(number, policy=f"p{number}") for number in range(MOST + 7)),
        news(0, "closed", policy="p0"),
        news(1, "closed", policy="another"),
    )
    assert len(told.lines) == 50 + 1
    assert told.lines[-1] == "And 8 more changes of other breakers: 7 tripped, 1 recovered."
    assert (len(told.data["breakers"]), told.data["more"]) == (50, 8)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_the_same_lines_have_the_same_id_and_others_another(numbers: list[int]) -> None:
    ids = [said(*(news(number) for number in each)).id for each in (numbers, numbers, [*numbers, 10])]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].startswith("msg_")
    assert "." not in ids[0]


def test_a_signature_is_the_one_of_the_reference_libraries() -> None:
    """The pair that the libraries of Standard Webhooks are tested with."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_keys_sign_what_is_sent_with_the_time_of_the_try() -> None:
    keys = (b"a" * 24, b"b" * 24)
    first, again = (webhook(said(news()), keys, now) for now in (1000.9, 1060.0))
    assert first[1] == again[1]
    assert [made[0]["webhook-timestamp"] for made in (first, again)] == ["1000", "1060"]
    headers, body = first
    signed = f"{headers['webhook-id']}.1000.".encode() + body
    digests = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    assert headers["webhook-signature"] == f"v1,{digests[0]} v1,{digests[1]}"


def test_a_webhook_holds_whole_amounts_and_the_names_as_they_are() -> None:
    _, body = webhook(said(news(policy="<a>\n", spent="0.990000000001")), (b"",), 0)
    (breaker,) = json.loads(body)["data"]["breakers"]
    assert (breaker["policy"], breaker["spent"], breaker["to"]) == ("<a>\n", "0.990000000001", "open")
    assert (breaker["changes"], breaker["transition"]) == (1, line()["hash"])


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_!!!", "whsec_" + "QUJD" * 22],
    ids=["empty", "no key", "no prefix", "short", "no base64", "66 bytes"],
)
def test_a_secret_that_signs_badly_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="no signing secret") as refused:
        signing_key(secret)
    assert not secret.removeprefix("whsec_") or secret not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a&b", "a&amp;b"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("<https://evil.example|click>", "&lt;https://evil.example|click&gt;"),
        ("@here", "@\u200bhere"),
        ("a\nb\r\u2028c", "a b c"),
        ("\u202etxt.exe", "txt.exe"),
        ("x" * 81, "x" * 79 + "…"),
    ],
    ids=["ampersand", "mention", "link", "plain mention", "line ends", "turned direction", "long"],
)
def test_a_tenant_s_name_is_only_text_in_slack(name: str, shown: str) -> None:
    _, body = slack(said(news(scope={"tenant": name})))
    sent = json.loads(body)
    assert f"(tenant {shown}) is open since" in sent["text"]
    assert (sent["mrkdwn"], sent["parse"], sent["link_names"], sent["unfurl_links"]) == (
        False, "none", False, False,
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_and_no_reason_makes_a_slack_control_or_another_line(name: str, reason: str) -> None:
    _, body = slack(said(news(policy=name, reason=reason)))
    text = json.loads(body)["text"]
    assert "<" not in text
    assert ">" not in text
    assert len(text.splitlines()) == 2


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_no_name_adds_a_header_to_a_letter(name: str) -> None:
    sent = bytes(letter(said(news(policy=f"{name}\r\nBcc: eve@example.com", reason="\r\n.\r\nRSET")), MAIL))
    read = message_from_bytes(sent, policy=SMTP)
    assert set(read.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    assert (read["To"], read["From"]) == ("ann@example.com", "switchgear@example.com")


def test_a_letter_reads_as_it_was_meant() -> None:
    read = message_from_bytes(bytes(letter(said(news(scope={"tenant": "Zürich & co"})), MAIL)), policy=SMTP)
    assert read["Subject"] == "switchgear: hour (tenant Zürich & co) is open"
    assert read["Message-ID"] == f"<{said(news()).id}@example.com>"
    assert read["Date"].datetime == datetime(2026, 11, 24, 2, 13, 1, tzinfo=UTC)
    assert read.get_content_type() == "text/plain"
    assert "hour (tenant Zürich & co) is open since 2026-11-24 02:13:01 UTC" in read.get_content()
