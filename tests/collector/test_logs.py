"""Logs: a line is an event, and nothing from outside breaks it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from collector import logs

HOSTILE = "\x1b[31m\n2026 ERROR forged\u202e" + "x" * 500


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(form: str) -> str:
    """What one line of each kind looks like."""
    out = io.StringIO()
    logs.start("collector", form, out)
    log = logging.getLogger("collector.test")
    log.info("started", extra={"port": 4318})
    log.warning("tenant %s", HOSTILE, extra={"tenant": HOSTILE, "spans": 3, "price": None})
    try:
        int("what the prompt said")
    except ValueError:
        log.exception("a batch failed")
    return out.getvalue()


def test_json_is_a_line_an_event_with_its_fields() -> None:
    first, second, third = map(json.loads, logged(logs.JSON).splitlines())
    assert {name: first[name] for name in ("level", "service", "logger", "event", "port")} == {
        "level": "info",
        "service": "collector",
        "logger": "collector.test",
        "event": "started",
        "port": 4318,
    }
    assert first["at"].endswith("Z")
    assert (second["spans"], second["price"], third["level"]) == (3, None, "error")


def test_text_is_a_line_an_event_too() -> None:
    lines = logged(logs.TEXT).splitlines()
    assert lines[0] == "switchgear: started port=4318"
    assert lines[1].startswith(r"switchgear: warning: tenant \x1b[31m\n2026 ERROR forged\u202e")
    assert len(lines) == 3


@pytest.mark.parametrize("form", [logs.JSON, logs.TEXT])
def test_a_hostile_name_is_escaped_and_cut(form: str) -> None:
    text = logged(form)
    assert "\x1b" not in text
    assert "\n2026" not in text
    # As a field it has 64 characters: the escapes, what of the rest has room, and the sign that it was cut.
    escapes = r"\x1b[31m\n2026 ERROR forged\u202e"
    field = escapes + "x" * (63 - len(escapes)) + "…"
    assert (json.loads(text.splitlines()[1])["tenant"] if form == logs.JSON else text).count(field) == 1


@pytest.mark.parametrize("form", [logs.JSON, logs.TEXT])
def test_an_exception_is_its_type_and_place_and_never_its_text(form: str) -> None:
    text = logged(form)
    assert "a batch failed: ValueError at test_logs.py:" in text
    assert "prompt" not in text
