"""Billing: one span -> the call that it tells of, or the reason why it is none; and what a call costs.

Only leaves are billed: a span that asked a model. Agent, chain, workflow and tool spans are not, whatever
usage they carry, since it is the sum of their calls. What a tool itself cost is billed where its span states it.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from switchgear import attributes
from switchgear.cache.model import Outcome as CacheOutcome
from switchgear.outcome import Outcome

from . import dialects
from .call import MAX_NAME_CHARS, SETTLEMENT, UNATTRIBUTED, Call, Flag, Kind, NotBilled, Reported, State
from .dialects import Dialect, reading
from .dialects.fields import BadValueError, Fields
from .pricing import PriceCall, Quote
from .span import Span, Wanted
from .stated import stated_cost

__all__ = ["WANTED", "Price", "bill", "price_of", "priced"]

MAX_MODEL_CHARS = 256
STATED = "stated"
"""The price version of a cost that a span states."""

_RESENDS = "http.request.resend_count"
_HTTP_STATUS = "http.response.status_code"
_ERROR_TYPE = "error.type"
_HTTP_ERROR = re.compile("[4-9][0-9]{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING = Decimal(0)
_OURS = (
    *(attributes.TENANT, attributes.WORKLOAD, attributes.TASK_ID, attributes.TASK_PARENT_ID),
    *(attributes.TASK_ROOT_ID, attributes.TASK_OUTCOME, attributes.TIER, attributes.USER),
    *(attributes.ATTEMPT, attributes.LEASE_ID, attributes.CUT, attributes.CACHE),
    *(attributes.COST_AMOUNT, attributes.COST_CURRENCY, attributes.COST_SKU),
)
# Spans that asked no model: they may state what they cost.
_ASKED_NO_MODEL = frozenset({"no_dialect", "wrong_kind"})
_OUTCOMES = frozenset(Outcome)
_CACHE_OUTCOMES = frozenset(CacheOutcome)
_SERVED = frozenset(each for each in CacheOutcome if each.served)

WANTED = Wanted(
    names=dialects.ATTRIBUTES.union(_OURS, (_RESENDS, _HTTP_STATUS, _ERROR_TYPE)),
    telling=dialects.ATTRIBUTES | {attributes.COST_AMOUNT, attributes.TASK_OUTCOME},
    tenant=attributes.TENANT,
    documents=dialects.DOCUMENTS,
)
"""What billing reads of a span: a decoder drops everything else."""


def bill(span: Span) -> Call | NotBilled:
    """The call that `span` tells of, not yet priced, or why it is none; of kind `task` the end of a task."""
    dialect = dialects.detect(span)
    try:
        result = _unknown(span) if dialect is None else _request(span, dialect)
        if attributes.COST_AMOUNT in span.attributes:
            asked = isinstance(result, Call) or result.code not in _ASKED_NO_MODEL
            return result if asked else _purchase(span, dialect)
        ends = dialect is None and attributes.TASK_OUTCOME in span.attributes
        return _end_of_task(span) if ends else result
    except BadValueError as problem:
        return replace(_none(span, dialect, "bad_value", str(problem)), rejected=True)


class Price(NamedTuple):
    """What is known of what a call costs, by the names of the call's own fields."""

    state: State
    cost: Decimal | None
    currency: str | None
    price_version: str | None
    list_cost: Decimal | None = None
    contract: str | None = None
    saved: Decimal | None = None
    """Of an answer that was served: what it would have cost."""


def price_of(call: Call, price: PriceCall) -> Price:
    """The state of `call`, its cost, and the price book that said so. Unknown is never zero.

    Of an answer that was served the state says what is known of `saved`: nothing was bought, so that its cost is zero.
    """
    if call.stated is not None:
        return Price(State.COMPLETE, call.stated.amount, call.stated.currency, STATED)
    if call.usage is None:
        return Price(State.INCOMPLETE, _NOTHING if call.kind is Kind.SERVED else None, None, None)
    quote = price(call.provider, call.model, call.usage, call.started_at, call.service_tier, call.tenant)
    state = _state(call, quote)
    if call.kind is Kind.SERVED:
        return Price(
            state, _NOTHING, quote.currency, quote.version, contract=quote.contract, saved=quote.cost
        )
    return Price(state, quote.cost, quote.currency, quote.version, quote.list_cost, quote.contract)


def _state(call: Call, quote: Quote) -> State:
    if not call.reported.complete:
        return State.INCOMPLETE
    if quote.cost is None:
        return State.UNPRICED
    return State.SETTLED_ONLY if call.dialect == SETTLEMENT else State.COMPLETE


def priced(call: Call, price: PriceCall) -> Call:
    """`call` with what `price_of` says of it."""
    return replace(call, **price_of(call, price)._asdict())


def _request(span: Span, dialect: Dialect) -> Call | NotBilled:
    """The request to a model that a span of a dialect tells of."""
    fields = Fields(span.attributes)
    billable, stated = reading.kind(dialect, fields)
    if not billable and stated:
        return _none(span, dialect, "wrong_kind", f"{stated}: only requests to a model are billed")
    request_model = fields.text(dialect.request_model)
    model = fields.text(dialect.response_model) or request_model
    # Not every emitter tells an embedding from a generation; what embeds writes nothing.
    embeds = "embed" in stated or "embed" in (model or "").lower()
    # What ended a stream that was cut was made up by the guard, counts and all: the provider told none.
    cut = fields.get(attributes.CUT) is True
    counts = None if cut else reading.counts(dialect, span, fields, output_expected=not embeds)
    if not billable and not (dialect.bills_unnamed and model and counts):
        return _none(span, dialect, "wrong_kind", "states no kind, and not both a model and usage")
    answer = reading.response_id(dialect, fields)
    if counts is None:
        said = reading.failure(dialect, fields)
        if failure := _failure(span, said, answered=answer is not None):
            return _none(span, dialect, "failed", f"{failure}, and no usage: the request failed, unbilled")
        if model is None and answer is None:
            return _none(span, dialect, "no_model", "names no model, no usage and no response id")
    lease = _name(span, attributes.LEASE_ID)
    cache = _cache(span)
    # An answer out of the cache draws no hold: where there is one, the call was made.
    served = cache in _SERVED and lease is None
    return Call(
        *_circumstances(span),
        provider=_short(fields.text(dialect.provider)),
        model=_short(model),
        request_model=_short(request_model),
        response_id=_short(answer),
        usage=counts.usage if counts else None,
        reported=counts.reported if counts else Reported.NOTHING,
        attempts=_attempts(span),
        dialect=dialect.name,
        scope=_scope(span.scope_name, span.scope_version),
        lease_id=lease,
        service_tier=reading.service_tier(dialect, fields),
        flags=_flags(
            span, consistent=(counts is None or counts.consistent) and (served or cache not in _SERVED)
        ),
        kind=Kind.SERVED if served else Kind.LLM,
        cache=cache,
    )


def _cache(span: Span) -> str | None:
    """What a cache of answers made of it; None for what is none of the outcomes: it is a call like any other then."""
    value = span.attributes.get(attributes.CACHE)
    return value if isinstance(value, str) and value in _CACHE_OUTCOMES else None


def _purchase(span: Span, dialect: Dialect | None) -> Call:
    """What the span of a tool, a search or the like states that it cost. Raises BadValueError."""
    return Call(
        *_circumstances(span),
        dialect=dialect.name if dialect else "",
        scope=_scope(span.scope_name, span.scope_version),
        flags=_flags(span, consistent=True),
        kind=Kind.COST,
        stated=stated_cost(span.attributes),
    )


def _end_of_task(span: Span) -> Call:
    """How the task of the span ended. Raises BadValueError."""
    outcome = span.attributes[attributes.TASK_OUTCOME]
    if outcome not in _OUTCOMES:
        raise BadValueError(
            f"{attributes.TASK_OUTCOME}: {str(outcome)[:64]!r} is none; there are: {', '.join(Outcome)}"
        )
    ended = Call(
        *_circumstances(span),
        scope=_scope(span.scope_name, span.scope_version),
        flags=_flags(span, consistent=True),
        kind=Kind.TASK,
        outcome=str(outcome),
    )
    if ended.task_id is None:
        raise BadValueError(
            f"{attributes.TASK_OUTCOME}: says how a task ended, and {attributes.TASK_ID} names none"
        )
    return ended


def _circumstances(
    span: Span,
) -> tuple[
    str,
    str,
    str,
    str | None,
    datetime,
    datetime | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
]:
    """The first facts of a call, from its tenant to its user: who made it, when and for whom."""
    return (
        _name(span, attributes.TENANT) or UNATTRIBUTED,
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        _instant(span.start_ns),
        _instant(span.end_ns) if span.end_ns >= span.start_ns else None,
        _name(span, attributes.WORKLOAD),
        _name(span, attributes.TASK_ID),
        _name(span, attributes.TASK_PARENT_ID),
        _name(span, attributes.TASK_ROOT_ID),
        _name(span, attributes.TIER),
        _name(span, attributes.USER),
    )


def _flags(span: Span, *, consistent: bool) -> tuple[Flag, ...]:
    odd = (
        *((Flag.CLOCK,) if span.end_ns < span.start_ns else ()),
        *(() if consistent else (Flag.INCONSISTENT,)),
    )
    return tuple(sorted((*span.flags, *odd))) if odd else span.flags


def _unknown(span: Span) -> NotBilled:
    return NotBilled.unknown(span.trace_id, span.span_id, span.attributes.get(attributes.TENANT))


def _none(span: Span, dialect: Dialect | None, code: str, reason: str) -> NotBilled:
    tenant = span.attributes.get(attributes.TENANT)
    named = tenant[:MAX_NAME_CHARS] if isinstance(tenant, str) else None
    return NotBilled(span.trace_id, span.span_id, code, reason, dialect.name if dialect else None, named)


def _failure(span: Span, said: str | None, *, answered: bool) -> str | None:
    """What shows that the provider billed nothing, or None; `said` is the dialect's own word for it.

    An error without an HTTP status is none where the provider had begun to answer (there is a response id):
    what that cost is unknown, which is not zero.
    """
    error = span.attributes.get(_ERROR_TYPE)
    for status in (span.attributes.get(_HTTP_STATUS), error):
        if _HTTP_ERROR.fullmatch(str(status)):
            return f"HTTP {status}"
    if answered:
        return None
    if isinstance(error, str) and error:
        return f"{_ERROR_TYPE} = {error[:64]!r}"
    return said or ("status ERROR" if span.error else None)


def _attempts(span: Span) -> int:
    """HTTP requests made: as the guard counted them, else one more than the resends, else one."""
    for name, first in ((attributes.ATTEMPT, 0), (_RESENDS, 1)):
        value = span.attributes.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value + first <= 10_000:
            return value + first
    return 1


def _name(span: Span, attribute: str) -> str | None:
    """A name that a user chose: NFC, no NUL, at most 128 characters. Empty counts as absent."""
    value = span.attributes.get(attribute)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadValueError(f"{attribute}: a name is text")
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadValueError(f"{attribute}: holds half a surrogate pair, which is no text") from None
    if "\0" in value:
        raise BadValueError(f"{attribute}: a name holds no NUL")
    if len(value) > MAX_NAME_CHARS:
        raise BadValueError(f"{attribute}: {len(value)} characters; a name has at most {MAX_NAME_CHARS}")
    return value


def _short(value: str | None) -> str | None:
    """A name that a provider or an instrumentation chose: cut rather than refused, so that it still bills."""
    if value is None or (value.isascii() and len(value) <= MAX_MODEL_CHARS and "\0" not in value):
        return value or None
    return value[:MAX_MODEL_CHARS].replace("\0", "").encode(errors="replace").decode() or None


@lru_cache(maxsize=1024)
def _scope(name: str, version: str) -> str:
    return _short(f"{name}@{version}") or ""


def _instant(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(0, 0, nanoseconds // 1000)
