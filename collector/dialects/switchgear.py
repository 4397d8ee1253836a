"""switchgear's own records: what the guard read in the provider's answer, by the names of `Usage`.

It makes one where no instrumentation's span tells of the call: none is there, or its sampler left it out.
"""

from __future__ import annotations

from switchgear import attributes
from switchgear.usage import APART, COUNTS

from .dialect import Dialect, Kind

__all__ = ["SWITCHGEAR"]

_NAMES = {name: (attributes.USAGE + name,) for name in (*COUNTS, *APART)}

SWITCHGEAR = Dialect(
    name="switchgear",
    # Read in the answer itself, every count of it.
    trust=60,
    scopes=("switchgear",),
    marks=frozenset({attributes.RECORD}),
    kinds=(Kind(attributes.RECORD, bills=frozenset({"call"})),),
    provider=("gen_ai.provider.name",),
    request_model=("gen_ai.request.model",),
    response_model=("gen_ai.response.model",),
    response_id=("gen_ai.response.id",),
    input=_NAMES["input_uncached"],
    output=_NAMES["output"],
    cache_read=_NAMES["cache_read"],
    cache_write=(),
    cache_write_5m=_NAMES["cache_write_5m"],
    cache_write_1h=_NAMES["cache_write_1h"],
    reasoning=_NAMES["reasoning"],
    parts={name: _NAMES[name] for name in APART},
    service_tier=(attributes.SERVICE_TIER,),
    canonical=True,
)
