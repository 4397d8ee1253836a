"""A whole body: every span of it is a call or has a reason, and a fault of ours costs one span and no more."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from otlp_samples import JSON, llm_span, request

from collector import billing
from collector.call import Call, NotBilled
from collector.ingest.body import bill_body
from collector.span import Span

DOCUMENT = json.dumps(request([llm_span(number) for number in range(1, 5)])).encode()


def test_spans_are_billed_in_their_order() -> None:
    assert [each.span_id for each in bill_body(DOCUMENT, JSON)] == [
        f"{number:016x}" for number in range(1, 5)
    ]


def test_a_fault_in_billing_a_span_costs_that_span_alone_and_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(span: Span) -> Any:
        if span.span_id.endswith(("2", "3")):
            raise RuntimeError("the content of a prompt")
        return billing.bill(span)

    monkeypatch.setattr("collector.ingest.body.bill", faulty)
    with caplog.at_level(logging.ERROR):
        first, second, third, last = bill_body(DOCUMENT, JSON)
    assert isinstance(first, Call)
    assert isinstance(last, Call)
    for broken in (second, third):
        assert isinstance(broken, NotBilled)
        assert (broken.code, broken.rejected) == ("internal", True)
    [line] = [record.getMessage() for record in caplog.records]
    assert "RuntimeError" in line
    assert second.span in line
    assert "content" not in line
