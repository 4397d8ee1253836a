"""Which public instrumentation watches which tenant's clients: one dialect each.

northwind: OpenLLMetry. civic: the OpenTelemetry project's own. brightline: OpenInference for both providers, while
the Anthropic SDK also traces itself, so that each of those calls arrives twice, as it does in the field.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

__all__ = ["instrument"]

# (module, class): imported late, since an agent pays only for the ones that it uses.
_INSTRUMENTORS = {
    "northwind": (("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),),
    "brightline": (
        ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
        ("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
    ),
    "civic": (("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),),
}

# What agents should set: no prompt leaves the process. OpenInference carries the provider's response id only in the
# output, by which the two spans of one Anthropic call are known to be one; so its outputs stay.
_PRIVACY = {"TRACELOOP_TRACE_CONTENT": "false", "OPENINFERENCE_HIDE_INPUTS": "true"}


def instrument(tenant: str) -> None:
    """Instrument the provider SDKs of this process as `tenant` does."""
    for name, value in _PRIVACY.items():
        os.environ.setdefault(name, value)
    for module, name in _INSTRUMENTORS[tenant]:
        instrumentor: Any = getattr(importlib.import_module(module), name)()
        instrumentor.instrument()
