"""Keeping: the reviews that were published, who has signed them, and what is still wanted of whom.

A published review is kept as it was: its files are made of it and of the signatures. It can be published again while
nobody has signed it. The signature for all of it seals the week: from then on nothing about it changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .document import Review, Signature, decoded, encoded, hash_of

if TYPE_CHECKING:
    import duckdb

__all__ = ["EVERYTHING", "Published", "ReviewError", "last_frozen", "publish", "published", "sign", "weeks"]

EVERYTHING = ""
"""The owner for whom the signature for all of it stands."""


class ReviewError(Exception):
    """What cannot be done to a review; says why, and what to do. `status` is that of an answer over HTTP."""

    def __init__(self, text: str, status: int = 409) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Published:
    """A review as it stands."""

    week: str
    frozen_at: datetime
    document: bytes
    hash: str
    signatures: tuple[Signature, ...]

    @property
    def review(self) -> Review:
        return decoded(self.document)

    @property
    def sealed(self) -> bool:
        """Whether all of it is signed."""
        return any(each.owner == EVERYTHING for each in self.signatures)

    @property
    def unsigned(self) -> tuple[str, ...]:
        """The owners whose signature is wanted."""
        signed = {each.owner for each in self.signatures}
        return tuple(line.owner for line in self.review.owners if line.owner and line.owner not in signed)


def weeks(con: duckdb.DuckDBPyConnection) -> Iterator[Published]:
    """All that were published, the last first."""
    rows = con.execute("SELECT week, frozen_at, document, hash FROM reviews ORDER BY week DESC").fetchall()
    for week, frozen_at, document, hash_ in rows:
        text = document.encode()
        yield Published(week, frozen_at.astimezone(UTC), text, hash_, tuple(_signatures(con, week)))


def published(con: duckdb.DuckDBPyConnection, week: str) -> Published | None:
    """That of the week; None where it was not published. Raises ReviewError where it is not what was signed."""
    found = next((each for each in weeks(con) if each.week == week), None)
    if found is not None and hash_of(found.document) != found.hash:
        raise ReviewError(
            f"the review of {week} was changed in the database since it was published: its hash is not {found.hash}; "
            "restore a backup",
            500,
        )
    return found


def last_frozen(con: duckdb.DuckDBPyConnection, week: str) -> datetime | None:
    """When the last review before that week was published; None where there is none."""
    ((at,),) = con.execute("SELECT max(frozen_at) FROM reviews WHERE week < $1", [week]).fetchall()
    return at.astimezone(UTC) if at is not None else None


def publish(con: duckdb.DuckDBPyConnection, review: Review, now: datetime) -> Published:
    """Keep it for signing, inside the caller's transaction. Raises ReviewError where it is signed already."""
    found = published(con, review.week)
    if found is not None and found.signatures:
        names = ", ".join(each.name for each in found.signatures)
        raise ReviewError(f"the review of {review.week} is signed by {names}; what is signed stays as it is")
    document = encoded(review)
    hash_ = hash_of(document)
    con.execute("DELETE FROM reviews WHERE week = $1", [review.week])
    con.execute("INSERT INTO reviews VALUES ($1, $2, $3, $4)", [review.week, now, document.decode(), hash_])
    return Published(review.week, now, document, hash_, ())


def sign(
    con: duckdb.DuckDBPyConnection,
    week: str,
    owner: str,
    *,
    name: str,
    hash_: str,
    key: str,
    note: str | None,
    now: datetime,
) -> Published:
    """Sign it for the cost of `owner`, inside the caller's transaction; `hash_` is that of what was read.

    The same signature again changes nothing. Raises ReviewError where there is no such review, it is another one by
    now, or somebody else has signed.
    """
    found = published(con, week)
    if found is None:
        raise ReviewError(f"{week} is not published: switchgear review --week {week} --publish", 404)
    if not hash_ or not found.hash.startswith(hash_):
        raise ReviewError(
            f"what was read is {hash_[:16] or 'unknown'}, published is {found.hash[:16]}: read it again"
        )
    again = next((each for each in found.signatures if each.owner == owner), None)
    if again is not None and (again.name, again.note) == (name, note):
        return found
    if found.sealed:
        raise ReviewError(f"the week {week} is sealed: all of it is signed")
    if again is not None:
        raise ReviewError(f"{week} is signed for the cost of {owner} by {again.name} already")
    owners = [line.owner for line in found.review.owners if line.owner]
    if owner != EVERYTHING and owner not in owners:
        raise ReviewError(f"{week} has no owner {owner!r}; there are: {', '.join(owners)}", 422)
    con.execute(
        "INSERT INTO review_signatures VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [week, owner, name, key, now, found.hash, note],
    )
    signed: Sequence[Signature] = (*found.signatures, Signature(owner, name, now, found.hash, note))
    return Published(found.week, found.frozen_at, found.document, found.hash, tuple(signed))


def _signatures(con: duckdb.DuckDBPyConnection, week: str) -> Iterator[Signature]:
    rows = con.execute(
        "SELECT owner, name, signed_at, hash, note FROM review_signatures WHERE week = $1 ORDER BY signed_at, owner",
        [week],
    ).fetchall()
    return (Signature(owner, name, at.astimezone(UTC), hash_, note) for owner, name, at, hash_, note in rows)
