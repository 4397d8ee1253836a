"""Whatever is done to a policy file: it loads, or it is refused line by line, each with a place inside it."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies.files import PolicyFileError, parse

ROOT = Path(__file__).parents[2]
TEXTS = [
    file.read_text().replace("\n# ", "\n")
    for file in (*sorted((ROOT / "policies" / "library").glob("*.yaml")), ROOT / "examples" / "policies.yaml")
]
LINE = re.compile(r"p\.yaml:(\d+):(\d+): \S.*")

SCRAPS = st.sampled_from([
    *"{}[]:,&*!|>'\"%@`#-?\t\n\0\r", "\u2028", "\ud800",
    "<<: ", "*a", "&a ", "!!int ", "---\n", "...\n", "%YAML 1.1\n",
    "null", "~", "true", ".nan", "-1", "1e400", "0x", "0o8", "+", "1_", "2026-02-30", "2026-01-01T25:00:00Z", "''",
    "5 EUR", "5 tokens", "101%", "1d", "per: task", "{calendar: fiscal}", "zone: /", "[" * 60, "9" * 5000,
])  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """One of our files with up to five places overwritten, cut out or copied elsewhere."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 5))):
        begin = draw(st.integers(0, len(text)))
        end = min(len(text), begin + draw(st.sampled_from([0, 0, 1, 2, 5, 40])))
        scrap = draw(st.one_of(SCRAPS, st.just(""), st.just(text[begin:end] * 2), st.text(max_size=3)))
        text = text[:begin] + scrap + text[end:]
    return text


@given(mutated())
@example("version: 1\n" + "a: " * 3000)
@example("version: 1\ntenants: {0x: {}, 0o8: {}, +: {}, -: {}, .: {}}\n")
@example("version: 1\ntenants: {? {a: b} : {}}\n")
@example("version: 1\ntenants: {a: &a {workloads: *a}}\n")
@example("version: 1\n<<: [{ceilings: []}, {tenants: {}}]\n")
@settings(max_examples=200, deadline=None)
def test_a_file_loads_or_is_refused_with_places_inside_it(text: str) -> None:
    try:
        parse(text, name="p.yaml")
    except PolicyFileError as refused:
        lines = str(refused).splitlines()
        assert lines
        places = [LINE.fullmatch(line) for line in lines]
        assert all(places), lines
        last = len(re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text))
        assert all(1 <= int(place[1]) <= last for place in places if place)
