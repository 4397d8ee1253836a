"""Settings: arguments before environment before defaults, and clear refusals."""

from __future__ import annotations

import inspect
import subprocess
import sys
import time
from dataclasses import fields

import pytest
from opentelemetry.sdk.trace import TracerProvider

import switchgear as sg
from switchgear.settings import Options, Settings
from switchgear.tier import Tier

ENVIRON = {
    "SWITCHGEAR_COLLECTOR": "http://c:1/",
    "SWITCHGEAR_POLICIES": "https://p:2",
    "SWITCHGEAR_API_KEY": "k",
    "SWITCHGEAR_TENANT": "acme",
    "SWITCHGEAR_TIER": "background",
}


def test_the_environment_is_read() -> None:
    assert Settings.read(environ=ENVIRON) == Settings(
        "http://c:1", "https://p:2", "k", "acme", Tier.BACKGROUND
    )


def test_an_argument_goes_before_the_environment() -> None:
    settings = Settings.read(collector="http://other:3", tier="batch", environ=ENVIRON)
    assert (settings.collector, settings.tier, settings.policies) == (
        "http://other:3",
        Tier.BATCH,
        "https://p:2",
    )


def test_defaults_are_this_machine() -> None:
    settings = Settings.read(environ={})
    assert (settings.collector, settings.policies) == ("http://127.0.0.1:4318", "http://127.0.0.1:8700")
    assert settings.flush_ms <= 500


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        (
            {"SWITCHGEAR_COLLECTOR": "127.0.0.1:4318"},
            'SWITCHGEAR_COLLECTOR: "127.0.0.1:4318" is not an address',
        ),
        ({"SWITCHGEAR_POLICIES": "ftp://x"}, 'SWITCHGEAR_POLICIES: "ftp://x" is not an address'),
        ({"SWITCHGEAR_POLICIES": "http://x:87000"}, "SWITCHGEAR_POLICIES: Port out of range 0-65535"),
        ({"SWITCHGEAR_API_KEY": "schlüssel"}, "SWITCHGEAR_API_KEY: there are spaces, line ends or letters"),
        ({"SWITCHGEAR_API_KEY": "a\nb"}, "SWITCHGEAR_API_KEY: there are spaces, line ends or letters"),
        ({"SWITCHGEAR_TIER": "urgent"}, 'SWITCHGEAR_TIER: "urgent" is no tier'),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(sg.ConfigError) as refused:
        Settings.read(environ=environ)
    assert says in str(refused.value)


def test_configuring_twice_is_refused_and_after_shutdown_allowed() -> None:
    sg.configure(collector="http://127.0.0.1:9", guard=False)
    try:
        with pytest.raises(sg.ConfigError, match="configure was called before"):
            sg.configure(guard=False)
    finally:
        sg.shutdown(timeout_s=0.1)
    sg.configure(collector="http://127.0.0.1:9", guard=False)
    sg.shutdown(timeout_s=0.1)


def test_a_collector_that_is_away_holds_up_the_end_no_longer_than_it_may() -> None:
    sg.configure(collector="http://127.0.0.1:9", guard=False, tracer_provider=TracerProvider())
    with sg.task("w", tenant="acme"):
        pass
    began = time.monotonic()
    sg.shutdown(timeout_s=0.1)
    # The exporter's own series of retries takes more than seven.
    assert time.monotonic() - began < 5


def test_an_agent_that_never_says_goodbye_ends_all_the_same(sink: str) -> None:
    program = (
        "import switchgear as sg\n"
        f"sg.configure(collector='{sink}', policies='http://127.0.0.1:9')\n"
        "with sg.task('w', tenant='acme'): pass\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], timeout=30, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "")


def test_every_setting_is_an_argument_of_configure() -> None:
    named = set(inspect.signature(sg.configure).parameters) - {"tracer_provider", "settings"}
    assert named | set(Options.__annotations__) == {each.name for each in fields(Settings)}
