"""Signing off: who has signed a week, publishing it, and signing it oneself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import streamlit as st

from analytics.reviews.document import Signature
from analytics.reviews.wording import digits, instant, money
from dashboard import board, look, session
from dashboard.identity import Viewer

from .reading import REVIEWS, Reading, sees_all

__all__ = ["ALL", "may_sign", "next_step", "publish", "show", "sign", "signed"]

ALL = ""
"""The owner that stands for all of it: that signature seals the week."""
_PUBLISHED_WITHIN_S = 150.0
_NAME_LENGTH, _NOTE_LENGTH = 200, 500


def may_sign(reading: Reading, viewer: Viewer) -> list[str]:
    """For whose cost the viewer's signature is wanted; `ALL` for all of it."""
    standing = reading.standing
    if standing.state != "published":
        return []
    if sees_all(viewer):
        return [*standing.unsigned, ALL]
    return [owner for owner in standing.unsigned if owner in viewer.owners]


def next_step(reading: Reading, viewer: Viewer) -> None:
    """A button for what comes next: to publish, or to sign."""
    if reading.standing.state == "draft" and sees_all(viewer):
        if st.button("Publish for signing", type="primary", key="publish"):
            publish(reading)
    elif (owners := may_sign(reading, viewer)) and st.button("Sign", type="primary", key="sign"):
        sign(reading, viewer, owners)


def show(reading: Reading, viewer: Viewer) -> None:
    """Who has signed for which cost and whose signature is wanted; and what the document is."""
    standing = reading.standing
    if standing.hash is None:
        st.html(
            board.empty(
                "Not published yet.",
                "Whoever does finance for all tenants publishes it: from then on it is kept, and can be signed.",
            )
        )
        return
    st.html(
        f'<div class="sg sg-note"><b>Published</b> {instant(standing.published_at)}. SHA-256 of the document: '
        f"<code>{look.attribute(standing.hash)}</code></div>"
    )
    st.html(signed(reading))
    if sees_all(viewer) and standing.state == "published" and not reading.signatures:
        st.html('<div class="sg sg-soft">While nobody has signed, it can be published anew, as of now.</div>')
        if st.button("Publish again", key="publish-again"):
            publish(reading)


def signed(reading: Reading) -> str:
    """The signatures as a table: one line for each owner, and one for all of it."""
    by_owner = {each.owner: each for each in reading.signatures}
    total = reading.review.total
    places, is_wanted = digits(total.actual), reading.standing.state == "published"
    costs = {line.owner: line.actual for line in reading.review.owners if line.owner is not None}
    names = {
        owner: look.text(owner)
        for owner in [*costs, *(each for each in by_owner if each and each not in costs)]
    }
    if not reading.is_own:
        costs[ALL], names[ALL] = total.actual, "All of it (seals the week)"
    lines = [
        _line(
            name,
            look.text(money(costs.get(owner), reading.review.currency, places)),
            by_owner.get(owner),
            is_wanted=is_wanted,
        )
        for owner, name in names.items()
    ]
    return (
        '<div class="sg sg-table" tabindex="0" role="region" aria-label="Signatures"><table><thead><tr>'
        '<th scope="col">For the cost of</th><th scope="col" class="n">Cost of the week</th><th scope="col">State</th>'
        '<th scope="col">Signed by</th><th scope="col">At</th><th scope="col">Document</th><th scope="col">Note</th>'
        f"</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _line(name: str, cost: str, found: Signature | None, *, is_wanted: bool) -> str:
    if found is None:
        colour = "warm" if is_wanted else "off"
        state, rest = f'<span class="sg-chip sg-{colour}"><i>○</i>not signed</span>', "<td></td>" * 4
    else:
        state = '<span class="sg-chip sg-calm"><i>●</i>signed</span>'
        rest = (
            f'<td>{look.text(found.name)}</td><td class="t">{instant(found.signed_at)}</td>'
            f'<td><code title="{look.attribute(found.hash)}">{look.text(found.hash[:16])}</code></td>'
            f'<td class="w">{look.words(found.note or "")}</td>'
        )
    return f'<tr><th scope="row">{name}</th><td class="n">{cost}</td><td>{state}</td>{rest}</tr>'


@st.dialog("Publish the week", width="medium")
def publish(reading: Reading) -> None:
    week = reading.standing.week
    st.html(
        f'<div class="sg"><p>The review of <b>{look.text(week)}</b> is made once more, as of now, and kept to be '
        "signed. Owners are asked for their signature. It can be published again until somebody signs; what is signed "
        "stays as it is.</p></div>"
    )
    if not st.button("Publish", type="primary", key="publish-now"):
        return
    with st.spinner("The review is made. With many calls it takes up to half a minute.", show_time=True):
        reply = session.services().collector.send(
            "POST", f"{REVIEWS}/{week}/publish", {}, timeout_s=_PUBLISHED_WITHIN_S
        )
    if reply.error is not None:
        st.html(board.banner("It was not published.", look.words(reply.error)))
        return
    _say(f"Published {instant(datetime.fromisoformat(reply.value['published_at']))}.", reply.value)
    st.rerun()


@st.dialog("Sign the week", width="medium")
def sign(reading: Reading, viewer: Viewer, owners: Sequence[str]) -> None:
    owner = owners[0]
    if len(owners) > 1:
        owner = st.selectbox(
            "For whose cost",
            owners,
            format_func=lambda name: look.tidy(name) if name else "All of it: seals the week",
        )
    st.html(_statement(reading, owner))
    name = st.text_input(
        "Your name and role",
        value="" if viewer.keyless else viewer.name,
        max_chars=_NAME_LENGTH,
        placeholder="Ann Lee, head of data platform",
    )
    note = st.text_input("Note (may be empty)", max_chars=_NOTE_LENGTH)
    has_read = st.checkbox("I have read it")
    if not st.button("Sign", type="primary", key="sign-now", disabled=not (has_read and name.strip())):
        return
    reply = session.services().collector.send(
        "POST",
        f"{REVIEWS}/{reading.standing.week}/signatures",
        {"owner": owner, "name": name.strip(), "hash": reading.standing.hash, "note": note.strip() or None},
    )
    if reply.error is not None:
        st.html(board.banner("It was not signed.", look.words(reply.error)))
        return
    mine = next(each for each in reply.value["signatures"] if each["owner"] == owner)
    whose = f"for the cost of {owner}" if owner else "for all of it: the week is sealed"
    at = instant(datetime.fromisoformat(mine["signed_at"]))
    _say(f"Signed by {mine['name']} {whose}, {at}.", reply.value)
    st.rerun()


def _statement(reading: Reading, owner: str) -> str:
    """What is signed, in words and with its amounts."""
    review = reading.review
    line = next((each for each in review.owners if each.owner == owner), None) if owner else review.total
    days = f"{review.first_day:%-d %B} to {review.last_day:%-d %B %Y}"
    places = digits(review.total.actual)

    def cash(amount: Decimal | None) -> str:
        return look.text(money(amount, review.currency, places))

    actual, plan, change = (line.actual, line.plan, line.change) if line else (None, None, None)
    more = "+" if change is not None and change > 0 else ""
    whose = f"the cost of <b>{look.text(owner)}</b>" if owner else "<b>all of it</b>"
    seals = "" if owner else " With it the week is sealed: nothing about it changes any more."
    own = " What you read on this page is your part of it." if reading.is_own else ""
    return (
        f'<div class="sg sg-quote">I have read the review of {look.text(review.week)} ({days}) and stand for {whose}: '
        f"{cash(actual)} spent, plan {cash(plan)}, {more}{cash(change)} against the week before."
        f"{seals}<small>The signature names the document by its SHA-256, "
        f"<code>{look.text((reading.standing.hash or '')[:16])}</code>.{own}</small></div>"
    )


def _say(words: str, told: Mapping[str, Any]) -> None:
    """Left for the page that is drawn next: what was done, and to which document."""
    said = f"{look.words(words)} SHA-256 <code>{look.attribute(str(told['hash']))}</code>"
    st.session_state["review-said"] = said
