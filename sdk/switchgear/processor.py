"""The span processor that says of every span whose it is."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from . import attributes, hooks
from .context import UNTAGGED, current_task, task_in

__all__ = ["CostSpanProcessor"]


class CostSpanProcessor(SpanProcessor):
    """Sets tenant, workload, task ids and tier on every span that starts inside a task.

    Add it to a tracer provider of your own; `configure` adds it for you. It sets all attributes in one call and
    does nothing outside a task, unless the process has a tenant of its own (SWITCHGEAR_TENANT).
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        # A span may be started under an explicit parent context that was made outside the task.
        task = task_in(parent_context) or current_task()
        if task is not None:
            span.set_attributes(task.span_attributes)
        elif (tenant := hooks.default_tenant()) is not None:
            # As the guard holds for it: what a ceiling held must not be booked to nobody.
            tier = hooks.default_tier().value
            span.set_attributes(
                {attributes.TENANT: tenant, attributes.WORKLOAD: UNTAGGED, attributes.TIER: tier}
            )

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing: what is billed is read by the collector."""

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits."""
        return True
