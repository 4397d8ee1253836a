"""API: the routes of the weekly reviews under /v1/reviews, as an extension of the collector.

Who reads all reviews has `finance` for every tenant. A key with `owner:NAME` sees what its workloads did, computed for
it alone, and may sign for the cost of that name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, model_validator

from collector.asgi import PROBLEM, problem
from collector.extension import Extension, Facts
from collector.keys.idempotency import DOCUMENTED
from collector.keys.key import EVERYTHING as WHOLE
from collector.keys.key import OWNER, Key, key_of
from collector.keys.rules import Everywhere
from collector.reporting import Report
from collector.wire import dump, rfc3339

from ..ledger.live import LiveLines
from . import actions, keeping
from .actions import Changed, Decided
from .assembling import assembled
from .document import Action, Review, encoded, hash_of
from .gathering import Week, gathered
from .keeping import Published, ReviewError

if TYPE_CHECKING:
    import duckdb

__all__ = ["extension"]

_ALL = (Everywhere("finance"),)
_MINE = (Everywhere("finance"), OWNER)
_RULES = {
    "GET /v1/reviews": _MINE,
    "GET /v1/reviews/{week}": _MINE,
    "POST /v1/reviews/{week}/publish": _ALL,
    "POST /v1/reviews/{week}/signatures": _MINE,
    "GET /v1/reviews/{week}/actions": _MINE,
    "POST /v1/reviews/{week}/actions": _MINE,
    "PATCH /v1/reviews/actions/{action}": _MINE,
    "GET /v1/reviews/progress": _MINE,
}
_WITHIN_S = 120.0
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Note = Annotated[str | None, Field(max_length=500)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Signing(_Body):
    """A signature for the cost of an owner, or, with "" for it, for all of it."""

    owner: Annotated[str, Field(max_length=200)]
    name: _Name
    hash: Annotated[str, Field(min_length=12, max_length=64)]
    note: _Note = None


class Deciding(_Body):
    """What an owner is to do."""

    owner: _Name
    text: Annotated[str, Field(min_length=1, max_length=500)]
    due: date
    saving: Annotated[Decimal | None, Field(ge=0)] = None


class Changing(_Body):
    """What became of an action; what is not given stays."""

    state: Literal["open", "done", "dropped"] | None = None
    due: date | None = None
    owner: _Name | None = None
    note: _Note = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change: give state, due, owner or note")
        return self


def extension(live: LiveLines, reports: Mapping[str, Report]) -> Extension:
    """The routes of reviews. `reports` are all that the collector has, by name."""
    return Extension(_RULES, partial(_router, live, reports))


class _Route(APIRoute):
    """A route that answers with what a review refuses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except ReviewError as refused:
                status = refused.status
                return Response(
                    problem(status, HTTPStatus(status).phrase, str(refused)), status, media_type=PROBLEM
                )

        return handled


class _Desk:
    """Where reviews are made, one at a time."""

    def __init__(self, facts: Facts, live: LiveLines, reports: Mapping[str, Report]) -> None:
        self.facts = facts
        self._live = live
        self._reports = reports
        self._alone = asyncio.Lock()
        self.progress: dict[str, Any] | None = None

    def week(self, name: str) -> Week:
        try:
            return Week.of(name, self._live.chargeback.calendar)
        except ValueError as unfit:
            raise ReviewError(f"week: {unfit}", 422) from None

    async def made(self, week: Week, key: Key) -> Review:
        """The review as of now, of what the key may see."""
        await self.facts.caught_up()
        async with self._alone:
            try:
                work = partial(
                    self._made, week=week, whole=key is WHOLE, progress=partial(self._tell, week.name)
                )
                return await self.facts.read(work, key, within_s=_WITHIN_S)
            finally:
                self.progress = None

    async def brief(self, week: Week, key: Key) -> Review:
        """The same without audits and invoices; it waits for no other review."""
        await self.facts.caught_up()
        work = partial(self._made, week=week, whole=key is WHOLE, brief=True)
        return await self.facts.read(work, key, within_s=_WITHIN_S)

    def _made(
        self,
        con: duckdb.DuckDBPyConnection,
        *,
        week: Week,
        whole: bool,
        brief: bool = False,
        progress: Callable[[str, int, int], None] = lambda *_: None,
    ) -> Review:
        return assembled(
            gathered(
                con,
                week,
                self._live,
                self._reports,
                now=self.facts.now(),
                watermark=self.facts.store.last_booked_at,
                since=keeping.last_frozen(con, week.name),
                whole=whole,
                brief=brief,
                progress=progress,
            )
        )

    def _tell(self, week: str, step: str, done: int, of: int) -> None:
        self.progress = {"what": f"review of {week}", "step": step, "done": done, "of": of}


def _router(live: LiveLines, reports: Mapping[str, Report], facts: Facts) -> APIRouter:
    router = APIRouter(tags=["reviews"], route_class=_Route)
    desk = _Desk(facts, live, reports)

    async def found(name: str) -> Published | None:
        return await facts.read(partial(keeping.published, week=name), WHOLE)

    @router.get("/v1/reviews", response_class=Response)
    async def reviews(request: Request) -> Response:
        """The reviews that were published, the last first, and who has signed them: an owner of its own signature."""
        key = key_of(request.scope)
        known = await facts.read(lambda con: list(keeping.weeks(con)), WHOLE)
        return _json({"reviews": [_told(each, key) for each in known]})

    @router.get("/v1/reviews/progress", response_class=Response)
    async def progress() -> Response:
        """How far the review is that is being made."""
        return _json({"under_way": desk.progress})

    @router.get("/v1/reviews/{week}", response_class=Response)
    async def review(
        week: str,
        request: Request,
        fresh: bool = False,  # noqa: FBT001, FBT002
        brief: bool = False,  # noqa: FBT001, FBT002
    ) -> Response:
        """The week's review as it was published, else (or with `fresh`) as of now. `document` is the JSON in text.

        As of now and `brief` it has no audits and no invoices, and no hash: it is to be looked at meanwhile.
        """
        key = key_of(request.scope)
        at = desk.week(week)
        known = await found(at.name)
        if known is not None and not fresh and _is_whole(key):
            return _json({**_told(known, key), "document": known.document.decode()})
        whose = WHOLE if _is_whole(key) else key
        if brief:
            told = encoded(await desk.brief(at, whose)).decode()
            return _json({"week": at.name, "state": "brief", "document": told})
        document = encoded(await desk.made(at, whose))
        state = (
            _told(known, key) if known is not None else {"week": at.name, "state": "draft", "signatures": []}
        )
        return _json(
            {**state, "state": "draft", "own_hash": hash_of(document), "document": document.decode()}
        )

    @router.post("/v1/reviews/{week}/publish", response_class=Response)
    async def publish(week: str) -> Response:
        """Keep the week's review as of now, to be signed. Again while nobody has signed it."""
        at = desk.week(week)
        if facts.now() < at.stop:
            raise ReviewError(f"the week {week} ends at {rfc3339(at.stop)}: it is published when it is over")
        made = await desk.made(at, WHOLE)
        known = await facts.write(lambda con: keeping.publish(con, made, facts.now()))
        return _json({**_told(known, WHOLE), "document": known.document.decode()})

    @router.post("/v1/reviews/{week}/signatures", response_class=Response)
    async def sign(week: str, body: Signing, request: Request) -> Response:
        """Sign it for the cost of an owner, or for all of it, which seals the week; the same again changes nothing."""
        key = key_of(request.scope)
        _may_speak_for(key, body.owner)
        known = await facts.write(
            lambda con: keeping.sign(
                con,
                desk.week(week).name,
                body.owner,
                name=body.name,
                hash_=body.hash,
                key=key.id,
                note=body.note,
                now=facts.now().replace(microsecond=0),
            )
        )
        return _json(_told(known, key))

    @router.get("/v1/reviews/{week}/actions", response_class=Response)
    async def listed(week: str, request: Request) -> Response:
        """What was decided in that week, and what of earlier weeks is open."""
        key, at, today = key_of(request.scope), desk.week(week), live.today

        def work(con: duckdb.DuckDBPyConnection) -> dict[str, list[Action]]:
            return {
                "actions": [
                    each for each in actions.of_week(con, at.name, today) if _may_see(key, each.owner)
                ],
                "earlier": [
                    each for each in actions.open_before(con, at.name, today) if _may_see(key, each.owner)
                ],
            }

        found = await facts.read(work, WHOLE)
        return _json({name: [_plain(each) for each in some] for name, some in found.items()})

    @router.post("/v1/reviews/{week}/actions", response_class=Response, dependencies=DOCUMENTED)
    async def decide(week: str, body: Deciding, request: Request) -> Response:
        """Note what an owner is to do; under an `Idempotency-Key` once, however often it is sent."""
        key, at = key_of(request.scope), desk.week(week)
        _may_speak_for(key, body.owner)
        currency = live.chargeback.currency
        decided = Decided(at.name, body.owner, body.text, body.due, body.saving, currency)
        sent = request.headers.get("idempotency-key")
        once = f"{key.id}/{sent}" if sent else None
        name = await facts.write(lambda con: actions.add(con, decided, by=key.id, now=facts.now(), once=once))
        return _json({"id": name})

    @router.patch("/v1/reviews/actions/{action}", response_class=Response)
    async def change(action: str, body: Changing, request: Request) -> Response:
        """Say what became of an action, put it off, or hand it to another owner for whom the key may speak."""
        key = key_of(request.scope)
        if body.owner is not None:
            _may_speak_for(key, body.owner)

        def work(con: duckdb.DuckDBPyConnection) -> Action | None:
            rows = con.execute("SELECT owner FROM review_actions WHERE id = $1", [action]).fetchall()
            if not rows or not _may_see(key, rows[0][0]):
                return None
            changed = Changed(body.state, body.note, body.due, body.owner)
            return actions.change(con, action, changed, by=key.id, now=facts.now(), today=live.today)

        found = await facts.write(work)
        if found is None:
            raise ReviewError(f"there is no action {action[:64]}", 404)
        return _json(_plain(found))

    return router


def _is_whole(key: Key) -> bool:
    return key is WHOLE or (key.all_tenants and key.allows("finance"))


def _may_see(key: Key, owner: str) -> bool:
    return _is_whole(key) or owner in key.owners


def _may_speak_for(key: Key, owner: str) -> None:
    if not _may_see(key, owner):
        whom = f"the cost of {owner}" if owner else "all of it"
        raise ReviewError(f"the key may not speak for {whom}", 403)


def _told(known: Published, key: Key) -> dict[str, Any]:
    """How a published review stands, as far as the key may see: an owner nothing of others."""
    return {
        "week": known.week,
        "state": "sealed" if known.sealed else "published",
        "published_at": rfc3339(known.frozen_at),
        "hash": known.hash,
        "signatures": [_plain(each) for each in known.signatures if _may_see(key, each.owner)],
        "unsigned": [owner for owner in known.unsigned if _may_see(key, owner)],
    }


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _json(document: Mapping[str, Any]) -> Response:
    return Response(dump(document), media_type="application/json")
