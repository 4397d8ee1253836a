"""Asked: which calls are to be re-rated, and whether that is to be written."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["Asked", "Dimension"]

Dimension = Literal["owner", "cost_centre", "tenant", "workload", "provider", "model"]
Name = Annotated[str, Field(min_length=1, max_length=256)]


class Asked(BaseModel):
    """Re-rate the calls that began in a range, shown by some dimensions; written only where it says so."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[AwareDatetime, Field(alias="from", description="The calls that began at or after it,")]
    to: Annotated[AwareDatetime, Field(description="and before it.")]
    book: Annotated[
        Name | None,
        Field(description="The price book that must be the one that is loaded. Default: whichever is."),
    ] = None
    tenant: Annotated[Name | None, Field(description="Only this tenant's calls; likewise the next two.")] = (
        None
    )
    provider: Name | None = None
    model: Name | None = None
    by: Annotated[list[Dimension], Field(max_length=6, description="What each line is of.")] = ["owner"]
    write: Annotated[bool, Field(description="Write it; else it is only shown.")] = False
    reason: Annotated[
        str | None, Field(min_length=1, max_length=500, description="Why it is written; stays with it.")
    ] = None
    shown: Annotated[
        Name | None,
        Field(description="What was shown, by the `shown` of that answer; nothing else is written."),
    ] = None

    @field_validator("from_", "to")
    @classmethod
    def _in_utc(cls, at: AwareDatetime) -> AwareDatetime:
        try:
            return at.astimezone(UTC)
        except OverflowError:
            raise ValueError("it lies beyond the years that there are in UTC") from None

    @model_validator(mode="after")
    def _fit(self) -> Asked:
        if self.from_ >= self.to:
            raise ValueError(f"from {self.from_.isoformat()} must lie before to {self.to.isoformat()}")
        if len(set(self.by)) < len(self.by):
            raise ValueError(f"by names something twice: {', '.join(self.by)}")
        if self.write and (self.reason is None or self.shown is None):
            raise ValueError("to write it takes a reason, and the `shown` of what was shown without write")
        return self
