"""Messages on their way: to real servers on this machine, over failures and restarts."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from serving import PLAIN, free_ports
from sinks import HttpSink, MailSink, Posted
from waiting import until

from policies.notices import Notices, NoticeSet, Tally, try_each
from policies.notices.channels import DeliveryError, channel
from policies.notices.events import Kind
from policies.notices.messages import test_message as made_test_message
from policies.notices.model import Destination, Mail, Slack, Tls, Webhook
from policies.notices.teller import TRIES
from policies.transitions import Transition, TransitionLog

HERE = (ip_network("127.0.0.0/8"),)
KEY = b"k" * 24
TEST = made_test_message(datetime(2026, 11, 24, 2, 0, tzinfo=UTC), "1")


def transition(policy: str, after: str = "open") -> Transition:
    amounts = (Decimal("0.99"), Decimal(0), Decimal("1.2"), Decimal(1))
    return Transition(
        0.0, policy, {"tenant": "acme"}, "closed", after, "engine", "it fits no more", *amounts, "USD"
    )


def told_to(url: str, interval_s: float = 0.01, **more: Any) -> NoticeSet:
    return NoticeSet((Destination("d", Webhook(url, (KEY,)), **more),), interval_s, HERE)


def policies(posted: Posted) -> list[str]:
    """Which breakers a webhook tells of, once its signature is checked as a receiver does."""
    id_, at, given = (posted.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    digest = hmac.digest(KEY, f"{id_}.{at}.".encode() + posted.body, "sha256")
    assert given == f"v1,{base64.b64encode(digest).decode()}"
    body = json.loads(posted.body)
    assert body["type"] == "breakers.changed"
    return [breaker["policy"] for breaker in body["data"]["breakers"]]


class Pauses(list[float]):
    """Pauses that take no time, and can be held to; the last of the first `until` lasts until `go` is set."""

    def __init__(self, until: int | None = None) -> None:
        super().__init__()
        self.until, self.go = until, asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        if len(self) == self.until:
            await self.go.wait()
        await asyncio.sleep(0)


async def for_ever(_: float) -> None:
    """A pause without an end."""
    await asyncio.Event().wait()


class Telling:
    """Notices that run, with the log that they follow."""

    def __init__(self, told: NoticeSet, folder: Path, pause: Callable[[float], Awaitable[None]]) -> None:
        self.log = TransitionLog(folder / "transitions.jsonl")
        self.notices = Notices(told, self.log, folder, pause=pause, tls=PLAIN)

    @property
    def tally(self) -> Tally:
        return self.notices.tallies["d"]


@asynccontextmanager
async def telling(told: NoticeSet, folder: Path, pauses: Pauses | None = None) -> AsyncIterator[Telling]:
    made = Telling(told, folder, Pauses() if pauses is None else pauses)
    running = asyncio.create_task(made.notices.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def came(sink: HttpSink, count: int) -> list[Posted]:
    await asyncio.to_thread(until, lambda: len(sink.posted) >= count, f"{count} messages came")
    return sink.posted


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


async def test_a_trip_is_told_at_once_with_a_signature_that_holds(sink: HttpSink, tmp_path: Path) -> None:
    async with telling(told_to(sink.url, interval_s=3600), tmp_path) as made:
        made.log.append(transition("hour"))
        (posted,) = await came(sink, 1)
        assert policies(posted) == ["hour"]
        assert (posted.path, posted.headers["content-type"]) == ("/hook", "application/json")
        assert posted.headers["host"] == f"127.0.0.1:{sink.port}"
        await asyncio.to_thread(until, lambda: made.tally == Tally(delivered=1), "it counts as delivered")


async def test_what_happens_while_the_receiver_is_away_comes_in_one_message_when_it_is_back(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    async with telling(told_to(f"http://127.0.0.1:{port}/hook"), tmp_path, pauses := Pauses(until=2)) as made:
        made.log.append(transition("first"))
        await asyncio.to_thread(until, lambda: len(pauses) >= 2, "it was tried twice")
        made.log.append(transition("second"), transition("third", "warned"))
        made.log.append(transition("second", "closed"))
        with HttpSink(port=port) as sink:
            pauses.go.set()
            posted = await came(sink, 2)
    assert [policies(each) for each in posted] == [["first"], ["third", "second"]]
    assert made.tally.failed_tries == len(pauses)


async def test_a_message_that_is_tried_again_keeps_its_id_and_body(tmp_path: Path) -> None:
    with HttpSink((500, {}), (429, {"retry-after": "120"}), (302, {"location": "/elsewhere"})) as sink:
        async with telling(told_to(sink.url), tmp_path, pauses := Pauses()) as made:
            made.log.append(transition("hour"))
            posted = await came(sink, 4)
        assert {(each.headers["webhook-id"], each.body, each.path) for each in posted} == {
            (posted[0].headers["webhook-id"], posted[0].body, "/hook")
        }
    # 1 s and 4 s with half as much more or less, between them as long as the receiver said.
    assert 0.5 <= pauses[0] <= 1.5
    assert pauses[1] == 120.0
    assert 2.0 <= pauses[2] <= 6.0


async def test_after_an_hour_of_tries_it_is_given_up_logged_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with HttpSink(*[(503, {})] * TRIES) as sink:
        async with telling(told_to(sink.url), tmp_path, pauses := Pauses()) as made:
            made.log.append(transition("first"))
            await came(sink, TRIES)
            made.log.append(transition("second"))
            posted = await came(sink, TRIES + 1)
            assert policies(posted[-1]) == ["second"]
            await asyncio.to_thread(until, lambda: made.tally == Tally(1, TRIES, 1), "both are counted")
    # 1 + 2 + ... + 256 and 10 x 300 is 3511 s; jitter takes at most half of it.
    assert 0.5 * 3511 <= sum(pauses) <= 3511 + 300
    assert max(pauses) <= 300
    assert [record.levelname for record in caplog.records if "notices" in record.name] == ["WARNING", "ERROR"]
    assert "answered 503" in caplog.text


@pytest.mark.parametrize("status", [400, 410, 413, 422])
async def test_what_the_receiver_will_never_take_is_not_tried_again(tmp_path: Path, status: int) -> None:
    with HttpSink((status, {})) as sink:
        async with telling(told_to(sink.url), tmp_path, pauses := Pauses()) as made:
            made.log.append(transition("first"))
            await asyncio.to_thread(until, lambda: made.tally.given_up, "it is given up")
            made.log.append(transition("second"))
            assert [policies(each) for each in await came(sink, 2)] == [["first"], ["second"]]
    assert pauses == []


async def test_one_destination_that_fails_keeps_nothing_from_another(sink: HttpSink, tmp_path: Path) -> None:
    (nobody,) = free_ports(1)
    ways = {"away": f"http://127.0.0.1:{nobody}/", "d": sink.url}
    told = NoticeSet(tuple(Destination(name, Webhook(url, (KEY,))) for name, url in ways.items()), 0.01, HERE)

    log = TransitionLog(tmp_path / "transitions.jsonl")
    running = asyncio.create_task(Notices(told, log, tmp_path, pause=for_ever, tls=PLAIN).run())
    for number in range(3):
        log.append(transition(f"p{number}"))
        assert policies((await came(sink, number + 1))[-1]) == [f"p{number}"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_after_a_restart_what_was_not_told_is_and_what_was_is_not(
    sink: HttpSink, tmp_path: Path
) -> None:
    told = told_to(sink.url)
    TransitionLog(tmp_path / "transitions.jsonl").append(transition("before there was anybody to tell"))
    async with telling(told, tmp_path) as made:
        made.log.append(transition("first"))
        await came(sink, 1)
        await asyncio.to_thread(until, lambda: made.tally.delivered, "it is delivered")
    TransitionLog(tmp_path / "transitions.jsonl").append(transition("second"), transition("third"))
    async with telling(told, tmp_path):
        posted = await came(sink, 2)
    assert [policies(each) for each in posted] == [["first"], ["second", "third"]]


async def test_a_message_that_was_on_its_way_when_the_process_ended_comes_again_under_its_id(
    tmp_path: Path,
) -> None:
    with HttpSink((500, {})) as sink:
        made = Telling(told_to(sink.url), tmp_path, for_ever)
        running = asyncio.create_task(made.notices.run())
        made.log.append(transition("first"), transition("second"))
        await came(sink, 1)
        # What a kill leaves: the file as it is now, and lines that were logged since.
        left = (tmp_path / "notices.json").read_bytes()
        made.log.append(transition("third"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        (tmp_path / "notices.json").write_bytes(left)

        async with telling(told_to(sink.url), tmp_path):
            before, again, after = await came(sink, 3)
    assert (again.headers["webhook-id"], again.body) == (before.headers["webhook-id"], before.body)
    assert [policies(each) for each in (again, after)] == [["first", "second"], ["third"]]


async def test_what_a_destination_did_not_want_is_not_told_when_it_wants_more(
    sink: HttpSink, tmp_path: Path
) -> None:
    async with telling(told_to(sink.url, kinds=frozenset({Kind.TRIP})), tmp_path) as made:
        made.log.append(transition("first", "warned"))
    async with telling(told_to(sink.url), tmp_path) as made:
        made.log.append(transition("second", "warned"))
        assert policies((await came(sink, 1))[0]) == ["second"]


@pytest.mark.parametrize(
    "left", [None, b"", b"[]", b'{"d": {"told": 5}}'], ids=["none", "empty", "list", "other"]
)
async def test_without_a_place_in_the_log_it_begins_at_its_end(
    sink: HttpSink, tmp_path: Path, left: bytes | None
) -> None:
    TransitionLog(tmp_path / "transitions.jsonl").append(transition("old"))
    if left is not None:
        (tmp_path / "notices.json").write_bytes(left)
    async with telling(told_to(sink.url), tmp_path) as made:
        made.log.append(transition("new"))
        assert policies((await came(sink, 1))[0]) == ["new"]


async def test_another_log_is_told_from_its_begin(sink: HttpSink, tmp_path: Path) -> None:
    async with telling(told_to(sink.url), tmp_path) as made:
        made.log.append(transition("of a log that was lost"))
        await asyncio.to_thread(until, lambda: made.tally.delivered, "it is delivered")
    (tmp_path / "transitions.jsonl").unlink()
    TransitionLog(tmp_path / "transitions.jsonl").append(transition("of another"))
    async with telling(told_to(sink.url), tmp_path):
        assert policies((await came(sink, 2))[1]) == ["of another"]


async def test_what_is_logged_together_is_told_together_however_much_it_is(
    sink: HttpSink, tmp_path: Path
) -> None:
    async with telling(told_to(sink.url, interval_s=3600), tmp_path) as made:
        made.log.append(*(transition(f"p{number}") for number in range(1000)))
        (posted,) = await came(sink, 1)
    assert json.loads(posted.body)["data"]["more"] == 1000 - 50


async def test_a_full_disk_delays_no_message(
    sink: HttpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with telling(told_to(sink.url), tmp_path) as made:
        (tmp_path / "notices.new").mkdir()
        for name in ("first", "second"):
            made.log.append(transition(name))
            await came(sink, 1 + (name == "second"))
    assert [policies(each) for each in sink.posted] == [["first"], ["second"]]
    assert caplog.text.count("cannot be written down") == 1


async def test_a_line_that_cannot_be_told_does_not_reach_the_engine(sink: HttpSink, tmp_path: Path) -> None:
    async with telling(told_to(sink.url), tmp_path) as made:
        made.notices._follow([{"id": 1}])
        made.log.append(transition("next"))
        assert policies((await came(sink, 1))[0]) == ["next"]


async def test_the_figures_are_prometheus_text(tmp_path: Path) -> None:
    made = Notices(told_to("https://h.example"), TransitionLog(tmp_path / "t.jsonl"), tmp_path, tls=PLAIN)
    made.tallies["d"].given_up = 2
    assert 'switchgear_notices_given_up_total{destination="d"} 2' in list(made.figures())


# -- one try


async def tried(way: Webhook | Slack | Mail, allowed: Any = HERE, tls: ssl.SSLContext = PLAIN) -> str | None:
    """Why a test message was not delivered; None where it was."""
    return (await try_each(NoticeSet((Destination("d", way),), 1.0, allowed), TEST.at, "1", tls))["d"]


async def test_slack_takes_the_text(sink: HttpSink) -> None:
    assert await tried(Slack(sink.url)) is None
    (posted,) = sink.posted
    said = "switchgear: a test\n• This is a test: switchgear would tell of breakers here."
    assert json.loads(posted.body)["text"] == said


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_nothing_reaches_this_machine_unless_it_may(sink: HttpSink, host: str) -> None:
    for way in (Webhook(f"http://{host}:{sink.port}/", (KEY,)), Slack(f"http://{host}:{sink.port}/")):
        assert "is this machine" in str(await tried(way, allowed=()))
    assert sink.posted == []


async def test_mail_does_not_reach_this_machine_unless_it_may() -> None:
    async with MailSink() as mail:
        way = Mail("localhost", mail.port, Tls.NONE, "a@b.example", ("c@d.example",))
        assert "is this machine" in str(await tried(way, allowed=()))
        assert mail.said == []


async def test_a_name_that_changes_its_address_is_not_looked_up_again(
    sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: what was judged is what is connected to, and the second answer is never asked for."""
    real, answers = socket.getaddrinfo, ["127.0.0.1"]

    def changing(host: object, port: int, *more: Any, **options: Any) -> Any:
        if host in ("receiver.test", b"receiver.test"):
            host = answers.pop(0)
        return real(host, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    assert await tried(Webhook(f"http://receiver.test:{sink.port}/x", (KEY,))) is None
    assert sink.posted[0].headers["host"] == f"receiver.test:{sink.port}"
    answers.append("10.0.0.1")
    assert "10.0.0.1 is private" in str(await tried(Webhook(f"http://receiver.test:{sink.port}/x", (KEY,))))


async def test_a_second_address_is_tried_where_the_first_does_not_answer(
    sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def two(host: object, port: int, *more: Any, **options: Any) -> Any:
        if host != "receiver.test":
            return real(host, port, *more, **options)
        # Nobody listens on 127.0.0.2.
        return [found for each in ("127.0.0.2", "127.0.0.1") for found in real(each, port, *more, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert await tried(Webhook(f"http://receiver.test:{sink.port}/x", (KEY,))) is None
    assert len(sink.posted) == 1


async def test_a_redirect_is_not_followed(sink: HttpSink) -> None:
    with HttpSink((307, {"location": sink.url})) as elsewhere:
        why = await tried(Webhook(elsewhere.url, (KEY,)))
    assert why == "answered 307; redirects are not followed: write the address that it leads to"
    assert sink.posted == []


async def test_a_proxy_of_the_environment_is_not_used(
    sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert await tried(Webhook(sink.url, (KEY,))) is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of receiver.test in one file."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here to make certificates with: TLS was not tried")
    folder = tmp_path_factory.mktemp("certificate")
    request = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-subj", "/CN=receiver.test", "-addext", "subjectAltName=DNS:receiver.test")
    files = ("-keyout", "own.key", "-out", "own.pem")
    subprocess.run([program, *request, *names, *files], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def served(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "own.pem", certificate / "own.key")
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What trusts receiver.test, whose name leads here, as does that of other.test."""
    real = socket.getaddrinfo

    def here(host: object, port: int, *more: Any, **options: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".test") else host, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    return ssl.create_default_context(cafile=certificate / "own.pem")


async def test_the_certificate_is_that_of_the_name_and_not_of_the_address(
    served: ssl.SSLContext, trusted: ssl.SSLContext
) -> None:
    with HttpSink(tls=served) as sink:
        assert await tried(Webhook(f"https://receiver.test:{sink.port}/x", (KEY,)), tls=trusted) is None
        for host in ("other.test", "127.0.0.1"):
            why = await tried(Webhook(f"https://{host}:{sink.port}/x", (KEY,)), tls=trusted)
            assert "CERTIFICATE_VERIFY_FAILED" in str(why)
        assert len(sink.posted) == 1


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_a_letter_goes_encrypted_and_with_a_login(
    served: ssl.SSLContext, trusted: ssl.SSLContext, tls: Tls
) -> None:
    async with MailSink(served, at_once=tls is Tls.TLS) as sink:
        to, login = ("ann@example.com", "ben@example.com"), ("us", "pass word")
        way = Mail("receiver.test", sink.port, tls, "switchgear@example.com", to, login)
        assert await tried(way, tls=trusted) is None
        other = Mail("other.test", sink.port, tls, "switchgear@example.com", to, login)
        assert "CERTIFICATE_VERIFY_FAILED" in str(await tried(other, tls=trusted))
        (letter,) = sink.letters
    assert (letter.sender, letter.to, letter.encrypted) == ("switchgear@example.com", list(to), True)
    assert letter.login == ("us", "pass word")
    assert "Subject: switchgear: a test" in letter.text
    assert "ehlo example.com" in sink.said


async def test_a_password_does_not_leave_where_the_server_does_not_encrypt() -> None:
    async with MailSink() as sink:
        way = Mail("127.0.0.1", sink.port, Tls.STARTTLS, "a@b.example", ("c@d.example",), ("us", "s3cret"))
        assert "STARTTLS" in str(await tried(way))
    assert [line for line in sink.said if "AUTH" in line] == []


@pytest.mark.parametrize(("code", "final"), [(550, True), (451, False)], ids=["for ever", "for now"])
async def test_a_letter_that_is_refused_for_ever_is_not_sent_again(*, code: int, final: bool) -> None:
    to = ("ann@example.com",)
    async with MailSink(refuse={to[0]: code}) as sink:
        way = channel(Mail("127.0.0.1", sink.port, Tls.NONE, "a@b.example", to), HERE, PLAIN)
        with pytest.raises(DeliveryError) as refused:
            await way.send(TEST, 0.0)
        await way.close()
    assert refused.value.final is final
    assert str(code) in str(refused.value)


async def test_a_letter_reaches_those_whom_the_server_knows(caplog: pytest.LogCaptureFixture) -> None:
    async with MailSink(refuse={"gone@example.com": 550}) as sink:
        to = ("gone@example.com", "ann@example.com")
        assert await tried(Mail("127.0.0.1", sink.port, Tls.NONE, "a@b.example", to)) is None
        assert sink.letters[0].to == ["ann@example.com"]
    assert "1 of 2 recipients were refused" in caplog.text


@pytest.mark.parametrize("way", ["webhook", "mail"])
async def test_who_takes_the_connection_and_says_nothing_is_left_after_a_while(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policies.notices.channels._TRY_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ways = {
            "webhook": Webhook(f"http://127.0.0.1:{port}/", (KEY,)),
            "mail": Mail("127.0.0.1", port, Tls.NONE, "a@b.example", ("c@d.example",)),
        }
        assert "within 0.05 s" in str(await tried(ways[way]))
