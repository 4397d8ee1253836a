"""`switchgear serve cache` keeps what it was told through a kill; `switchgear cache` shows, ends and labels it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import listening, ran, starting
from keeping import Keeping
from serving import Serving, free_ports

from cli import caching, serve
from policies.caching.service import create_app
from switchgear.cache import Answer, Mode, Namespace, Outcome, Question, Terms
from switchgear.cache.cache import LocalCache
from switchgear.cache.remote import RemoteCache

WHERE = Namespace("acme", "support-agent")
QUESTION = Question(b"exact", b"setting", "How tall is the tower in Pisa?")
REWORDED = Question(b"other", b"setting", "What is the height of the tower in Pisa?")
ANSWER = Answer("application/json", b'{"a": 57}', "It is 57 m tall.", "m-1")
ON = Terms(Mode.ON, keep=timedelta(days=1))
LABELS = """\
{"workload": "support-agent", "kept": "57 m", "fresh": "57 m", "same": true}
{"workload": "support-agent", "kept": "57 m", "fresh": "58 m", "same": true}

{"workload": "w", "kept": "yes", "fresh": "yes", "same": false}
"""


def now() -> datetime:
    return datetime.now(UTC)


def kept_by(cache: LocalCache | RemoteCache, question: Question = QUESTION) -> Outcome:
    look = cache.look(WHERE, question, ON, now())
    return look.outcome if look.ticket is None else cache.learn(look.ticket, ANSWER, now())


def test_what_was_learned_outlives_a_kill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with starting(tmp_path) as start:
        first = start("serve", "cache", "--port", str(port))
        listening(first)
        cache = RemoteCache(url, look_within_s=20, learn_within_s=20)
        assert kept_by(cache) is Outcome.MISS
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=10)
        cache.close()
        listening(start("serve", "cache", "--port", str(port)))
        cache = RemoteCache(url, look_within_s=20, learn_within_s=20)
        look = cache.look(WHERE, QUESTION, Terms(Mode.EXACT), now())
        assert (look.outcome, look.served) == (Outcome.EXACT, ANSWER)
        cache.close()
        assert caching.forget(url, None, {"tenant": "acme"}, as_json=False) == 0
        assert capsys.readouterr().out == "1 answer forgotten\n"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    file, kept = folder / "policies.yaml", Keeping(folder / "cache")
    file.write_text("version: 1\n")
    with Serving(create_app(open_cache=lambda: kept, policy_file=file, data=folder)) as running:
        cache = RemoteCache(running.url, look_within_s=20, learn_within_s=20)
        for question in (QUESTION, QUESTION, REWORDED):
            kept_by(cache, question)
        cache.close()
        yield running.url


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


def test_status_shows_what_is_missing_and_how_often_something_was_served(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert caching.status(url, None, None, None, as_json=False) == 0
    header, line = (each.split() for each in capsys.readouterr().out.splitlines())
    assert header[:6] == ["tenant", "workload", "requests", "served", "wordings", "labels"]
    # One of three requests was the same as the one before, one of another wording was compared with it.
    assert line[:6] == ["acme", "support-agent", "3", "33.3", "%", "new"]
    assert caching.status(url, None, "globex", None, as_json=False) == 0
    assert capsys.readouterr().out.startswith("nothing was asked yet")
    assert caching.status(url, None, None, "support-agent", as_json=True) == 0
    told, *_ = json.loads(capsys.readouterr().out)["workloads"]
    assert (told["requests"], told["served"], told["outcomes"]["exact"]) == (3, 1, 1)


def test_labels_are_told_line_by_line(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(LABELS)

    def labelled(*, as_json: bool) -> int:
        return caching.label(file, tenant="acme", cache=url, api_key=None, as_json=as_json)

    assert labelled(as_json=True) == 0
    none = {"pairs": 1, "undecided": 0, "false_same": 0, "false_different": 0}
    assert json.loads(capsys.readouterr().out) == {
        "support-agent": {**none, "pairs": 2, "false_different": 1},
        "w": {**none, "false_same": 1},
    }
    assert labelled(as_json=False) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "w: of 1 pairs the judge called 1 the same that are not, 0 different that are not, and could not tell of 0"
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("{", "no JSON; write an object a line", id="half an object"),
        pytest.param("[]", "no object; write one a line", id="a list"),
        pytest.param(
            '{"workload": "w", "fresh": "x"}', "kept: is missing or none; write a text", id="missing"
        ),
        pytest.param(
            '{"workload": "w", "kept": "secret", "fresh": "", "same": true}',
            "fresh: is missing or none; write a text",
            id="nothing said",
        ),
        pytest.param(
            '{"workload": "w", "kept": "secret", "fresh": "x", "same": "yes"}',
            "same: is missing or none; write true or false",
            id="a word for a truth",
        ),
    ],
)
def test_a_line_that_is_no_pair_is_told_by_its_number_and_without_its_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    file = tmp_path / "l.jsonl"
    file.write_text(f"{LABELS}{line}\n")
    code = caching.label(file, tenant="acme", cache="http://127.0.0.1:9", api_key=None, as_json=False)
    assert code == 1
    assert capsys.readouterr().err == f"switchgear: {file}:5: {says}\n"


def test_a_file_of_labels_that_is_not_there_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "none.jsonl"
    assert caching.label(file, tenant="acme", cache="http://127.0.0.1:9", api_key=None, as_json=False) == 2
    assert capsys.readouterr().err.startswith(f"switchgear: cache label: {file}: cannot be read: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["forget"], "cache forget: say whose: --tenant", id="nothing"),
        pytest.param(["forget", "--workload", "w"], "cache forget: say whose", id="a workload of anybody"),
        pytest.param(["forget", "--tag", "t", "--entry", "1"], "name one of --entry and --tag", id="two"),
        pytest.param(["forget", "--tenant", "a", "--entry", "1"], "an entry has its tenant", id="both"),
        pytest.param(
            ["status", "--cache", "nowhere"],
            "cache status: 'nowhere' is neither a URL nor a folder of a cache",
            id="no cache",
        ),
        pytest.param(["label", "l.jsonl"], "cache label: say whose workloads they are: --tenant", id="whose"),
    ],
)
def test_what_is_asked_wrongly_is_one_line_that_says_how_to_ask(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    answer = ran(tmp_path, "cache", *arguments)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1), answer.stderr
    assert says in answer.stderr


def test_where_no_service_answers_that_is_said(tmp_path: Path) -> None:
    answer = ran(tmp_path, "cache", "status", "--cache", "http://127.0.0.1:9")
    assert answer.returncode == 1
    assert answer.stderr.startswith("switchgear: cache status: no cache answers at http://127.0.0.1:9 (")
    assert answer.stderr.endswith("start one with: switchgear serve cache\n")


def test_a_folder_that_processes_use_by_themselves_is_shown_and_ended_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from switchgear.cache.cache import open_cache

    folder = str(tmp_path / "own")
    cache = open_cache(folder)
    kept_by(cache)
    kept_by(cache, REWORDED)
    cache.close()
    assert caching.status(folder, None, None, None, as_json=True) == 0
    told, *_ = json.loads(capsys.readouterr().out)["workloads"]
    assert (told["tenants"], told["workload"], told["requests"]) == ([], "support-agent", 2)
    file = tmp_path / "labels.jsonl"
    file.write_text(LABELS)
    assert caching.label(file, tenant=None, cache=folder, api_key=None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["support-agent"]["pairs"] == 2
    assert caching.status(folder, None, None, None, as_json=False) == 0
    # The second was never asked, and has labels for its judge.
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == ["support-agent", "w"]
    what = {"tenant": "acme", "workload": "support-agent"}
    assert caching.forget(folder, None, what, as_json=False) == 0
    assert capsys.readouterr().out == "2 answers forgotten\n"


@pytest.mark.parametrize(
    ("policies", "host", "code", "says"),
    [
        pytest.param(
            "cache: [{mode: maybe}]", "127.0.0.1", 1, 'cache[0].mode: "maybe" is none of', id="policies"
        ),
        pytest.param(
            "", "127.0.0.1", 1, "Not a directory; choose another folder with --folder\n", id="folder"
        ),
        pytest.param("", "0.0.0.0", 2, "so a key is needed", id="no key"),
    ],
)
def test_a_service_that_cannot_start_says_why_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], policies: str, host: str, code: int, says: str
) -> None:
    file, (port,) = tmp_path / "policies.yaml", free_ports(1)
    file.write_text(f"version: 1\n{policies}\n")
    (tmp_path / "file").write_text("")
    found = serve.cache(
        folder=tmp_path / "file", policy_file=file, data=tmp_path, host=host, port=port, api_key=None
    )
    told = capsys.readouterr().err
    assert (found, len(told.splitlines())) == (code, 1), told
    assert says in told
