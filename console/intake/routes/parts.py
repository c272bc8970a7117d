"""What routes have in common: the scope they need, the problems they may answer with, what they are handed."""

from collections.abc import Mapping
from typing import Annotated, Any

from litestar import Request
from litestar.datastructures.state import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter

from console.domain.token import Scope, Token
from console.intake.desk import Desk, actor_of
from console.intake.problems import ProblemBody

At = NamedDependency[Desk]
Asked = Request[None, Token, State]

_WORDS: Mapping[int, str] = {
    400: "Something that was given is wrong.",
    401: "No token, or one that opens nothing.",
    403: "The token has not the scope that this needs.",
    404: "There is none.",
    409: "It cannot be done as things are.",
    413: "The body is too large.",
    415: "The body is of a kind that is not taken.",
    422: "A payload does not match its schema, or this Idempotency-Key came with other events before.",
    429: "More requests than the token may make.",
    503: "The store cannot be read or written now, or too much waits: come back after Retry-After seconds.",
    508: "It has come round: an event that was sent from here, or one that has passed too many senders.",
}
EVERYWHERE = (400, 401, 403, 429, 503)


def problems(*more: int) -> dict[int, ResponseSpec]:
    """The problems that a route may answer with, beside those that every one may."""
    return {
        status: ResponseSpec(
            data_container=ProblemBody,
            generate_examples=False,
            description=_WORDS[status],
            media_type="application/problem+json",
        )
        for status in sorted({*EVERYWHERE, *more})
    }


def needs(scope: Scope, *problem_statuses: int, tag: str) -> dict[str, Any]:
    """For a route's decorator: what it needs of a token, and which problems it may answer with."""
    return {"opt": {"scope": scope}, "responses": problems(*problem_statuses), "tags": [tag]}


def actor(request: Asked) -> str:
    """Who asks, for the audit log."""
    return actor_of(request.auth)


Id = Annotated[str, PathParameter(max_length=200)]
