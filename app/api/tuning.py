"""Weights of a knowledge base, learned from questions to it."""

from typing import Any, Self

from fastapi import APIRouter
from pydantic import Field, model_validator

from app.api.bodies import Body
from app.api.dependencies import TheServices, Writer
from app.api.problems import problems
from app.tuning import LONGEST, MOST, Exemplar, Learned

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 404, 409, 413, 422, 503))


class TuningQuestion(Body):
    """``documents``: the names of all that answer it; none, and nothing does, unless ``answerable`` says otherwise."""

    question: str = Field(min_length=1, max_length=LONGEST, pattern=r"\S")
    documents: list[str] = Field(default=[], max_length=100)
    answerable: bool | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.documents and self.answerable is False:
            raise ValueError("documents answer it, or it is not answerable")
        return self


class TuningQuestions(Body):
    questions: list[TuningQuestion] = Field(max_length=MOST)
    dry_run: bool = False


@router.post("/knowledge-bases/{kb}/tuning")
async def learn_weights(kb: str, body: TuningQuestions, who: Writer, services: TheServices) -> dict[str, Any]:
    """Learn weights and the threshold of refusals, measured on questions left out; kept only where surely better.

    Takes some 20 ms a question and as long again to learn; with ``dry_run`` nothing is kept.
    """
    exemplars = [_exemplar(line, each) for line, each in enumerate(body.questions, 1)]
    return learned_json(await services.tuning.learn(who.tenant, kb, exemplars, by=who.label, dry_run=body.dry_run))


@router.delete("/knowledge-bases/{kb}/tuning", status_code=204)
async def reset_weights(kb: str, who: Writer, services: TheServices) -> None:
    """As shipped again."""
    await services.tuning.reset(who.tenant, kb)


def learned_json(learned: Learned) -> dict[str, Any]:
    return {**learned.tuning.as_json(), "kept": learned.kept}


def _exemplar(line: int, each: TuningQuestion) -> Exemplar:
    answerable = bool(each.documents) if each.answerable is None else each.answerable
    return Exemplar(line, each.question.strip(), frozenset(each.documents), answerable)
