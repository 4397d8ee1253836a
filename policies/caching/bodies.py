"""What the cache service is asked and what it answers, as types by which it is read, checked and described."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from switchgear.cache.model import Answer, Look, Mode, Outcome, Question, Terms
from switchgear.cache.terms import terms_of

from ..wire import Name

__all__ = ["ForgetBody", "Forgotten", "LearnBody", "Learned", "LookBody", "Looked"]

Text = Annotated[str, StringConstraints(max_length=4 << 20)]
# An answer that says nothing is never kept, so that the judge is never asked of one.
_Said = Annotated[str, StringConstraints(min_length=1, max_length=4 << 20)]
_Share = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=40)]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class TermsBody(_Strict):
    """The terms of the asker's code; what the policy file says of the scope is applied on top, here."""

    mode: Mode
    bound: _Share | None = None
    confidence: _Share | None = None
    keep_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    audits: _Share | None = None
    allow: Annotated[list[_Word], Field(max_length=16)] = []
    group: Any = None
    """Not looked at: with whom answers are shared only the policy file says."""
    tags: Annotated[list[_Word], Field(max_length=32)] = []

    @model_validator(mode="after")
    def _are_terms(self) -> Self:
        self.terms()
        return self

    def terms(self) -> Terms:
        """The terms. Raises ValueError for a share that is none."""
        return terms_of(self.model_dump(exclude={"group"}, exclude_none=True))


class QuestionBody(_Strict):
    """A model call's request, taken apart: what must be equal, and what may be worded otherwise."""

    exact: Base64Bytes
    """All that may change the answer, and the form in which it comes."""
    setting: Base64Bytes
    """The same without the wording."""
    wording: Text | None = None
    """What is compared by its meaning; null: nothing is."""
    unfit: _Word | None = None
    """Why it is of a kind that is left alone unless the terms allow it."""

    def question(self) -> Question:
        return Question(self.exact, self.setting, self.wording, self.unfit)


class LookBody(_Strict):
    """A question of one scope."""

    tenant: Name
    workload: Name
    terms: TermsBody
    question: QuestionBody


class AnswerBody(_Strict):
    """A provider's whole and good response, as it is kept and replayed."""

    content_type: Annotated[str, StringConstraints(max_length=256)]
    body: Base64Bytes
    text: Text
    """What the model said."""
    model: Annotated[str, StringConstraints(max_length=256)] | None = None
    """Which version of the model said it."""

    def answer(self) -> Answer:
        return Answer(self.content_type, self.body, self.text, self.model)

    @classmethod
    def of(cls, answer: Answer) -> dict[str, Any]:
        """An answer as it is told; not validated, as it was when it was learned."""
        return cls.model_construct(
            content_type=answer.content_type, body=answer.body, text=answer.text, model=answer.model
        ).model_dump(mode="json")


class Looked(_Strict):
    """What was found. `served` is null where the model is to be asked."""

    outcome: Outcome
    served: AnswerBody | None
    ticket: str | None
    """By it, once and within 15 minutes, the asker tells what the model answered; null: that is not wanted."""
    kept_at: datetime | None
    """When what is served was said."""

    @classmethod
    def of(cls, look: Look, ticket: str | None) -> dict[str, Any]:
        """A look as it is told."""
        return {
            "outcome": look.outcome.value,
            "served": None if look.served is None else AnswerBody.of(look.served),
            "ticket": ticket,
            "kept_at": None if look.kept_at is None else look.kept_at.isoformat(),
        }


class LearnBody(_Strict):
    """The model was asked and gave this answer; null where it gave none that is worth keeping."""

    ticket: Annotated[str, StringConstraints(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    answer: AnswerBody | None


class Learned(_Strict):
    """What became of the call."""

    outcome: Outcome


class ForgetBody(_Strict):
    """What is to be forgotten: all of a tenant, its workload's or what has a tag; or one answer by its number."""

    tenant: Name | None = None
    """Null goes with a tag, which is then every tenant's, and with an answer, which has its tenant."""
    workload: Name | None = None
    tag: _Word | None = None
    entry: Annotated[int, Field(ge=1, le=(1 << 63) - 1)] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        named = [name for name in ("workload", "tag", "entry") if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"name one of {' and '.join(named)}, not both")
        if self.tenant is None and named not in (["tag"], ["entry"]):
            raise ValueError("name a tenant; without one only a tag or an entry is forgotten")
        if self.tenant is not None and named == ["entry"]:
            raise ValueError("an entry has its tenant; leave the tenant out")
        return self


class Forgotten(_Strict):
    """How many answers were kept, and are not any more."""

    forgotten: int


class PairBody(_Strict):
    """Two answers to one request, and whether a person says that they are the same."""

    kept: _Said
    fresh: _Said
    same: bool


class LabelBody(_Strict):
    """Pairs for the judge of a workload. Nothing of them is kept but what the judge said of them."""

    tenant: Name
    workload: Name
    pairs: Annotated[list[PairBody], Field(min_length=1, max_length=1000)]


class Labelled(_Strict):
    """How the judge did: of how many pairs it could not tell, and how often it was wrong."""

    pairs: int
    undecided: int
    false_same: int
    """Different, and called the same."""
    false_different: int
    """The same, and called different."""
