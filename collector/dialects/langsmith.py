"""LangSmith over OpenTelemetry: usage is copied to the chain above, so that the span kind alone decides.

What is cached and reasoned stands in LangChain's usage_metadata, whose input counts all of it; the response id
stands only in the answer.
"""

from __future__ import annotations

from functools import partial

from .dialect import Dialect, Kind
from .document import Inside, Notation
from .genai import GENAI

__all__ = ["LANGSMITH"]

_usage = partial(Inside, "langsmith.metadata.usage_metadata")
# Of a wrapped client: what Python prints of the details.
_input_details = partial(Inside, "gen_ai.usage.input_token_details", notation=Notation.PYTHON)
_output_details = partial(Inside, "gen_ai.usage.output_token_details", notation=Notation.PYTHON)
_answer = partial(Inside, "gen_ai.completion")
# One message of the answer, as LangChain writes it down.
_message = partial(_answer, "generations", 0, 0, "message", "kwargs")


def _answered(*path: str) -> tuple[str, str]:
    """The same count where only the answer has it: of LangChain, and of a wrapped client."""
    return _message("usage_metadata", *path), _answer("usage_metadata", *path)


LANGSMITH = Dialect(
    name="langsmith",
    trust=30,
    scopes=("langsmith",),
    marks=frozenset({"langsmith.span.kind"}),
    kinds=(Kind("langsmith.span.kind", bills=frozenset({"llm", "embedding"})),),
    provider=("langsmith.metadata.ls_provider", *GENAI.provider),
    request_model=(*GENAI.request_model, "langsmith.metadata.ls_model_name"),
    response_model=(
        *GENAI.response_model,
        _message("response_metadata", "model_name"),
        _answer("llm_output", "model_name"),
        _answer("model"),
    ),
    response_id=(
        *GENAI.response_id,
        _message("response_metadata", "id"),
        _answer("llm_output", "id"),
        _answer("id"),
    ),
    input=(*GENAI.input, _usage("input_tokens"), *_answered("input_tokens")),
    output=(*GENAI.output, _usage("output_tokens"), *_answered("output_tokens")),
    cache_read=(
        *(_usage("input_token_details", "cache_read"), _input_details("cache_read"), *GENAI.cache_read),
        *_answered("input_token_details", "cache_read"),
    ),
    cache_write=(
        *(_usage("input_token_details", "cache_creation"), _input_details("cache_creation")),
        *GENAI.cache_write,
        *_answered("input_token_details", "cache_creation"),
    ),
    cache_write_5m=(
        _usage("input_token_details", "ephemeral_5m_input_tokens"),
        _input_details("ephemeral_5m_input_tokens"),
    ),
    cache_write_1h=(
        _usage("input_token_details", "ephemeral_1h_input_tokens"),
        _input_details("ephemeral_1h_input_tokens"),
    ),
    reasoning=(
        *(_usage("output_token_details", "reasoning"), _output_details("reasoning"), *GENAI.reasoning),
        *_answered("output_token_details", "reasoning"),
    ),
    total=(*GENAI.total, _usage("total_tokens")),
    parts={
        **GENAI.parts,
        "input_audio": (_usage("input_token_details", "audio"), _input_details("audio")),
        "output_audio": (_usage("output_token_details", "audio"), _output_details("audio")),
    },
)
