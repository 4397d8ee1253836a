"""Which hosts may be told the task of a request: the listed ones, however a URL is written, and no other."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.hosts import Hosts

LISTED = "agents.internal, *.example.com:8080, 10.0.0.7, [::1]:9000, api.corp:443"


@pytest.mark.parametrize(
    "url",
    [
        "http://agents.internal",
        "https://agents.internal/",
        "https://agents.internal:8443/run?a=b#c",
        "HTTPS://Agents.INTERNAL/run",
        "http://agents.internal/users/@me",
        "http://agents.internal?q",
        "http://a.example.com:8080/",
        "http://a.b.example.com:8080/",
        "http://10.0.0.7/",
        "http://[::1]:9000/",
        "http://[0:0:0:0:0:0:0:1]:9000/",
        "https://api.corp/",
        "http://api.corp:443/",
    ],
)
def test_a_listed_host_is_told(url: str) -> None:
    assert Hosts.parse(LISTED).take(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/chat/completions",
        "http://evil-example.com:8080/",
        "http://example.com:8080/",
        "http://a.example.com/",
        "http://a.example.com:80800/",
        "http://a.example.com.evil.org:8080/",
        "http://.example.com:8080/",
        "http://evil.org%2f.example.com:8080/",
        "http://evil.org#.example.com:8080/",
        "http://evil.org/.example.com:8080/",
        "http://xagents.internal/",
        "http://agents.internal.evil.org/",
        "http://agents.internal./",
        "http://agents.internal@evil.org/",
        "http://agents.internal:80@evil.org/",
        "http://user@agents.internal/",
        "http://evil.org\\@agents.internal/",
        "http://agents.internal\\@evil.org/",
        "http://agents.internal#@evil.org/",
        "http://agents.internal?@evil.org/",
        "http://agents.internal\t.evil.org/",
        "http://agents.internal\n@evil.org/",
        " http://agents.internal/",
        "http:///agents.internal/",
        "http:agents.internal/",
        "//agents.internal/",
        "agents.internal",
        "ftp://agents.internal/",
        "http://agents。internal/",
        "http://ágents.internal/",
        "http://10.0.0.70/",
        "http://167772167/",
        "http://[::1]/",
        "http://[::1]evil.org:9000/",
        "http://[::1%25eth0]:9000/",
        "http://[::ffff:10.0.0.7]/",
        "http://api.corp/",
        "https://api.corp:80/",
        "https://api.corp:/x@:443",
        "",
    ],
)
def test_any_other_host_is_not_told(url: str) -> None:
    assert not Hosts.parse(LISTED).take(url)


def test_without_a_list_nobody_is_told() -> None:
    assert not Hosts.parse("").take("http://agents.internal/")
    assert not Hosts.parse(" , ").take("http://agents.internal/")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("*", "is no host"),
        ("*.", "is no host"),
        ("*.com", "takes in too much"),
        ("*.*.com", "is no host"),
        ("a.*.com", "is no host"),
        ("http://agents.internal", "is no host"),
        ("agents.internal/path", "is no host"),
        ("agents.internal:", "is no host"),
        ("agents.internal:0", "is no host"),
        ("agents.internal:65536", "is no host"),
        ("agents internal", "is no host"),
        ("user@agents.internal", "is no host"),
        ("ágents.internal", "is no host"),
        ("agents..internal", "is no host"),
        ("::1", "is no host"),
        ("[::1", "is no host"),
        ("[::g]", "is no host"),
        ("*.0.0.1", "nothing below an address"),
        ("*.[::1]", "nothing below an address"),
    ],
)
def test_an_entry_that_is_no_host_is_refused_by_name(entry: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        Hosts.parse(f"agents.internal, {entry}")
    assert f'"{entry}"' in str(refused.value)


@given(st.text(alphabet=" \t\\/@#?:.[]%*-agents.internalexample.com0128", max_size=40))
def test_whatever_is_told_goes_to_a_listed_host_as_httpx_reads_it(rest: str) -> None:
    hosts = Hosts.parse(LISTED)
    for start in ("http://", "http://agents.internal", "http://a.example.com:8080", "http://evil.org"):
        if hosts.take(start + rest):
            try:
                host = httpx.URL(start + rest).host
            except httpx.InvalidURL:
                continue
            assert host in ("agents.internal", "10.0.0.7", "::1", "api.corp") or host.endswith(".example.com")
