"""The frame of every page: its head with the age of what is shown, time range, filters, tabs, and the viewer.

The URL is the only state: a control writes its choice there, and the page is drawn from what the URL says. Filters go
along when another page is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from . import look, session
from .grid import NAMES
from .services import Answer
from .view import DEFAULT_RANGE, FILTERS, RANGES, View

__all__ = ["currencies_of", "go", "tabs", "top"]

_OPTIONS_AGE_S = 60.0
_FRESH_AGE_S = 2.0
_LATE = timedelta(minutes=2)
_LOOKS_EVERY = "5s"
# What the collector answers where a range was paid in several currencies and none is chosen.
_UNFIT, _SEVERAL = 422, re.compile(r"the range holds calls in ([A-Z]{3}(?:, [A-Z]{3})+): choose")
# What may be chosen is that of these lengths, whatever range is shown: so that a change of range asks nothing.
_OFFERED_OVER = {True: "30d", False: "90d"}
_ALL = {
    "tenant": "All tenants",
    "owner": "All owners",
    "workload": "All workloads",
    "tier": "All tiers",
    "model": "All models",
}


def top(
    title: str,
    *,
    ranges: bool = True,
    compare: bool = False,
    filters: Sequence[str] = FILTERS,
    aside: str = "",
    default: str = DEFAULT_RANGE,
    badge: bool = True,
    priced: bool = False,
) -> View:
    """Draw the head of a page and its controls; the view that the URL names. `aside` is HTML of ours for the head.

    `default` is the range where the URL names none. Without a `badge` the page says itself how fresh its facts are.
    `priced` pages have their amounts in one currency, which is offered where calls were paid in several.
    """
    view = _carried(title, default)
    options, currencies = _options(view) if filters else (Answer(None, None), ())
    if options.value is not None and view.currency not in currencies:
        view = view.but(currency=next(iter(currencies), None))
    with st.container(horizontal=True, vertical_alignment="center", key="frame-head"):
        st.html(f'<div class="sg sg-head"><h1>{title}</h1></div>', width="content")
        _asides(aside, session.palette(), view.priced(), badge=badge)
        _viewer()
    if ranges or compare or filters:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="frame-controls"):
            if ranges:
                _ranges(view)
            if compare:
                _choose("compare", "Compare", view)
            for name in filters:
                _filter(name, view, options.value)
            if priced and currencies:
                _currency(view, currencies)
    return view


def go(view: View, page: str | None = None) -> None:
    """Show another view, on this page or another one, such as "views/tasks.py"."""
    # Widgets whose selection led here get new keys, or they would lead here again.
    st.session_state["steps"] = st.session_state.get("steps", 0) + 1
    if page is not None:
        st.session_state["view"] = view
        st.switch_page(page, query_params=view.query())
    st.query_params.from_dict(view.query())
    st.rerun()


def tabs(view: View, names: Mapping[str, str]) -> str:
    """Tabs, of which only the chosen one is run; the first where the URL names none."""
    first = next(iter(names))
    chosen = view.more.get("tab", first)
    chosen = chosen if chosen in names else first
    st.session_state["tab"] = chosen
    st.segmented_control(
        "Part of the page",
        list(names),
        format_func=lambda name: names[name],
        required=True,
        key="tab",
        label_visibility="collapsed",
        on_change=lambda: _write(view.but(tab=st.session_state["tab"])),
    )
    return chosen


def _carried(title: str, default: str) -> View:
    """The view of the URL; with the range and filters of the page before where that says nothing."""
    view = View.from_query({"range": default} | st.query_params.to_dict())
    before: View | None = st.session_state.get("view")
    usual = st.session_state.get("default-range")
    st.session_state["default-range"] = default
    if st.session_state.get("page") != title and before is not None and not st.query_params.to_dict():
        # A range that nobody chose there is not this page's either.
        kept = default if before.range == usual else before.range
        view = before.but(range=kept, task=None, **dict.fromkeys(before.more))
        _write(view)
    st.session_state["page"], st.session_state["view"] = title, view
    return view


def _write(view: View) -> None:
    query = view.query()
    if query.get("range") == st.session_state["default-range"]:
        del query["range"]
    st.query_params.from_dict(query)


def _ranges(view: View) -> None:
    own = view.start is not None
    st.session_state["range"] = None if own else view.range

    def changed() -> None:
        chosen = st.session_state["range"]
        if chosen:
            _write(view.but(range=chosen, start=None, stop=None))

    st.segmented_control(
        "Time range",
        list(RANGES),
        format_func=lambda name: RANGES[name].brief,
        key="range",
        on_change=changed,
        label_visibility="collapsed",
    )
    with st.popover(view.words if own else "Dates", help="From one day to another, in UTC"):
        _dates(view)


def _dates(view: View) -> None:
    today = session.now().date()
    start, stop = view.span(session.now())
    st.session_state["dates"] = (
        min(start.date(), today),
        min((stop - timedelta(seconds=1)).date(), today),
    )

    def changed() -> None:
        chosen = st.session_state["dates"]
        if len(chosen) == 2:
            first, last = (datetime.combine(day, time(), UTC) for day in chosen)
            _write(view.but(start=first, stop=last + timedelta(days=1)))

    st.date_input("First and last day, UTC", key="dates", on_change=changed, max_value=today)


def _choose(name: str, words: str, view: View) -> None:
    st.session_state[name] = view.compare
    st.toggle(
        words,
        key=name,
        on_change=lambda: _write(view.but(compare=st.session_state[name])),
    )


def _filter(name: str, view: View, offered: pa.Table | None) -> None:
    chosen = getattr(view, name)
    options = _values(offered, name)
    if chosen is not None and chosen not in options:
        options = [chosen, *options]
    key = f"filter-{name}"
    st.session_state[key] = chosen
    st.selectbox(
        name.capitalize(),
        options,
        index=None,
        format_func=lambda value: look.tidy(value) if value else NAMES[name],
        placeholder=_ALL[name],
        key=key,
        on_change=lambda: _write(view.but(**{name: st.session_state[key]})),
        label_visibility="collapsed",
        width=136,
    )


def _currency(view: View, offered: Sequence[str]) -> None:
    st.session_state["currency"] = view.currency
    st.selectbox(
        "Currency of amounts",
        list(offered),
        key="currency",
        on_change=lambda: _write(view.but(currency=st.session_state["currency"])),
        label_visibility="collapsed",
        help="Amounts of several currencies are never added up",
        width=96,
    )


def _options(view: View) -> tuple[Answer, Sequence[str]]:
    """Every combination that had calls lately: what the filters offer; and the currencies, where they are several.

    Of these the one with most calls comes first.
    """
    chosen = View(_OFFERED_OVER[view.length <= timedelta(days=30)], view.start, view.stop)
    asked = chosen.params(session.now()) | {"by": ",".join(FILTERS)}
    collector = session.services().collector

    def told(currency: Mapping[str, str]) -> Answer:
        topic = f"options {chosen.topic} {dict(currency)}"
        return collector.report("spend", {**asked, **currency}, max_age_s=_OPTIONS_AGE_S, topic=topic)

    whole = told({})
    of_each = {name: told({"currency": name}) for name in currencies_of(whole)}
    tables = {name: answer.value for name, answer in of_each.items() if answer.value is not None}
    if not tables:
        return whole, ()
    most_first = sorted(tables, key=lambda name: (-(pc.sum(tables[name]["calls"]).as_py() or 0), name))
    return Answer(pa.concat_tables(tables.values()), None), most_first


def currencies_of(refused: Answer) -> list[str]:
    """The currencies of a range that holds several, as the collector names them where none was chosen."""
    found = _SEVERAL.search(refused.error or "") if refused.status == _UNFIT else None
    return found[1].split(", ") if found else []


def _values(offered: pa.Table | None, name: str) -> list[str]:
    if offered is None or not offered.num_rows:
        return []
    return sorted("" if value is None else value for value in pc.unique(offered[name]).to_pylist())


@st.fragment(run_every=_LOOKS_EVERY)
def _asides(aside: str, drawn: look.Palette, priced: Mapping[str, str], *, badge: bool) -> None:
    """What stands at the right of the head, kept fresh; and the page anew where its reader has taken another theme."""
    if session.palette() is not drawn:
        st.rerun()
    st.html(f'<div class="sg sg-asides">{aside}{_freshness(priced) if badge else ""}</div>')


def _freshness(priced: Mapping[str, str]) -> str:
    """A badge: up to when calls are booked, and how long ago that was."""
    now = session.now()
    minute = {"from": (now - timedelta(minutes=1)).isoformat(), "to": now.isoformat()}
    answer = session.services().collector.report(
        "spend", {**minute, **priced}, max_age_s=_FRESH_AGE_S, topic=f"freshness {dict(priced)}"
    )
    if answer.value is None:
        return '<span class="sg-badge bad">nothing is known of what is booked</span>'
    told = (answer.value.schema.metadata or {}).get(b"watermark")
    if not told:
        return '<span class="sg-badge">nothing is booked yet</span>'
    at = datetime.fromisoformat(told.decode())
    late = answer.error or now - at > _LATE
    return (
        f'<span class="sg-badge{" bad" if answer.error else ""}" title="{look.attribute(told.decode())}">'
        f"booked up to <b>{at:%-d %b %H:%M:%S} UTC</b>{f', {look.ago(at, now)}' if late else ''}</span>"
    )


def _viewer() -> None:
    who = session.viewer()
    if who is None or who.keyless or not who.id:
        return
    with st.popover(look.label(who.name), icon=":material/account_circle:"):
        st.html(f'<div class="sg">{_rights(who.tenants, sorted(who.scopes), who.owners)}</div>')
        st.button("Sign out", on_click=session.sign_out, key="sign-out")


def _rights(tenants: Sequence[str], scopes: Sequence[str], owners: Sequence[str]) -> str:
    rows: list[tuple[str, Sequence[Any]]] = [("Tenants", tenants), ("Owners", owners), ("Scopes", scopes)]
    return "".join(
        f'<div class="sg-soft">{name}</div><div>{", ".join(look.text(each) for each in values)}</div>'
        for name, values in rows
        if values
    )
