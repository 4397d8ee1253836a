"""Body: what the body of one trace request tells of, span by span."""

from __future__ import annotations

from typing import Protocol

from ..billing import WANTED, bill
from ..call import Call, NotBilled
from ..otlp import decode
from ..span import Span
from .answers import log_fault

__all__ = ["BillBody", "bill_body"]


class BillBody(Protocol):
    """Do what `bill_body` does, here or elsewhere. Raises BusyError too, for a body that should be sent again."""

    def __call__(self, body: bytes, content_type: str) -> list[Call | NotBilled]: ...


def bill_body(body: bytes, content_type: str) -> list[Call | NotBilled]:
    """Each span of `body` as the call that it tells of, not yet priced, or with the reason why it is none.

    Raises DecodeError for a body that is no OTLP, or too large in some way. A fault of ours costs one span, and the
    first of a body is logged.
    """
    result: list[Call | NotBilled] = []
    faults = 0
    for span in decode(body, content_type, WANTED):
        if isinstance(span, NotBilled):
            result.append(span)
            continue
        try:
            result.append(bill(span))
        except Exception as problem:  # noqa: BLE001 - sent again it would fail again, and hold up the spans beside it
            faults += 1
            if faults == 1:
                log_fault(f"span {span.trace_id}:{span.span_id} cannot be billed", problem)
            result.append(_internal(span))
    return result


def _internal(span: Span) -> NotBilled:
    reason = "the collector failed on this span; its log says more"
    return NotBilled(span.trace_id, span.span_id, "internal", reason, rejected=True)
