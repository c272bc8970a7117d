"""Answers to what cannot be done, in one form: RFC 9457, `application/problem+json`."""

import math
from http import HTTPStatus

import msgspec

from console.domain.errors import (
    ConsoleError,
    InvalidInputError,
    QueryError,
    StoreError,
    UnknownReferenceError,
)

CONTENT_TYPE = b"application/problem+json"
RETRY_AFTER_S = 1
"""How soon to come back when the store cannot take anything now."""

Header = tuple[bytes, bytes]


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, and where."""

    reason: str
    """One line."""
    field: str | None = None
    """The field or parameter."""
    item: int | None = None
    """The number of the event in a batch, from 0."""
    line: int | None = None
    """The line of NDJSON, from 1."""
    start: int | None = None
    """In a filter: from this character on."""
    end: int | None = None


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem as it is sent."""

    type: str
    """`about:blank`: the status says all there is to say."""
    title: str
    status: int
    detail: str
    errors: list[Fault] | None = None


class Problem(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: list[Fault] | None = None,
        retry_after_s: float | None = None,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, errors
        self.retry_after_s, self.more_headers = retry_after_s, headers

    @property
    def body(self) -> bytes:
        """As JSON."""
        title = HTTPStatus(self.status).phrase
        # A title in words that every client knows, and no URL that nobody serves.
        answer = ProblemBody(
            type="about:blank", title=title, status=self.status, detail=self.detail, errors=self.errors
        )
        return msgspec.json.encode(answer)

    @property
    def headers(self) -> list[Header]:
        """All but its length."""
        found: list[Header] = [(b"content-type", CONTENT_TYPE), *self.more_headers]
        if self.retry_after_s is not None:
            found.append((b"retry-after", str(max(1, math.ceil(self.retry_after_s))).encode()))
        return found


def problem_of(error: Exception) -> Problem | None:
    """What an error of ours is to the caller; None: it is no error of ours."""
    text = str(error).partition("\n")[0]
    match error:
        case Problem():
            return error
        case QueryError():
            fault = Fault(reason=text, field="filter", start=error.start, end=error.end)
            return Problem(400, f"filter: {text}", errors=[fault])
        case UnknownReferenceError():
            return Problem(404, text)
        case InvalidInputError():
            return Problem(400, text)
        case StoreError():
            # Where the store is kept is no caller's business.
            return Problem(503, "the store cannot be read or written now", retry_after_s=RETRY_AFTER_S)
        case ConsoleError():
            return Problem(409, text)
        case _:
            return None
