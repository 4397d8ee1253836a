"""A ticket is of one key and tenant, for one use and a while, and there are only so many."""

from __future__ import annotations

import pytest

from policies.caching.tickets import VALID_S, Tickets


@pytest.mark.parametrize(
    ("key", "after_s", "redeemed"),
    [
        pytest.param("k", 0.0, True, id="by whoever asked"),
        pytest.param("k", VALID_S, True, id="just in time"),
        pytest.param("k", VALID_S + 1, False, id="too late"),
        pytest.param("other", 0.0, False, id="by another key"),
    ],
)
def test_a_ticket_is_redeemed_by_its_own_key_while_it_is_valid(
    key: str,
    after_s: float,
    redeemed: bool,  # noqa: FBT001
) -> None:
    tickets = Tickets()
    name = tickets.issue("k", "acme", "inner", 100.0)
    found = tickets.redeem(name, key, 100.0 + after_s)
    assert (found is not None and found.inner == "inner") is redeemed


def test_a_ticket_is_for_one_use_and_a_stranger_does_not_use_it_up() -> None:
    tickets = Tickets()
    name = tickets.issue("k", "acme", "inner", 0.0)
    assert tickets.redeem(name, "other", 0.0) is None
    assert tickets.redeem(name, "k", 0.0) is not None
    assert tickets.redeem(name, "k", 0.0) is None
    assert len(tickets) == 0


def test_a_tenant_with_too_many_loses_its_own_oldest_and_nobody_elses() -> None:
    tickets = Tickets(most=100, most_of_one=2)
    theirs = tickets.issue("k", "globex", "theirs", 0.0)
    mine = [tickets.issue("k", "acme", f"{n}", 1.0 + n) for n in range(3)]
    assert tickets.redeem(mine[0], "k", 5.0) is None
    assert all(tickets.redeem(name, "k", 5.0) for name in (*mine[1:], theirs))


def test_of_very_many_tenants_the_oldest_ticket_ends() -> None:
    tickets = Tickets(most=2, most_of_one=2)
    names = [tickets.issue("k", f"tenant-{n}", "inner", float(n)) for n in range(3)]
    assert [tickets.redeem(name, "k", 3.0) is not None for name in names] == [False, True, True]


def test_old_ones_leave_no_trace() -> None:
    tickets = Tickets()
    for n in range(10):
        tickets.issue("k", f"tenant-{n}", "inner", 0.0)
    tickets.issue("k", "acme", "inner", VALID_S + 1)
    assert len(tickets) == 1


def test_a_tenant_that_is_forgotten_has_no_tickets_any_more() -> None:
    tickets = Tickets()
    mine, theirs = tickets.issue("k", "acme", "a", 0.0), tickets.issue("k", "globex", "b", 0.0)
    tickets.end("acme")
    assert tickets.redeem(mine, "k", 0.0) is None
    assert tickets.redeem(theirs, "k", 0.0) is not None
