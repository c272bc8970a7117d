"""What can go wrong, as the API says it."""

from collections.abc import Sequence

from console.client.models import Fault
from console.domain.errors import ConsoleError


class ApiError(ConsoleError):
    """The API did not do what was asked. `status` is None when there was no answer."""

    def __init__(self, detail: str, *, status: int | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.faults = status, detail, tuple(faults)


class RefusedError(ApiError):
    """What was sent is wrong, or cannot be done as things are; sending it again will not help."""


class UnauthorizedError(ApiError):
    """The token opens nothing."""


class ForbiddenError(ApiError):
    """The token has not the scope that this needs."""


class NotFoundError(ApiError):
    """There is none."""


class RateLimitedError(ApiError):
    """More requests than the token may make, for longer than was to be waited."""


class UnavailableError(ApiError):
    """The server could not take it, for longer than was to be waited. Of events nothing was accepted."""


class UnreachableError(ApiError):
    """There was no answer. Whether something was done is not known; events may be sent again under the same key."""


def error_of(status: int, detail: str, faults: Sequence[Fault]) -> ApiError:
    """By its status."""
    kinds: dict[int, type[ApiError]] = {
        401: UnauthorizedError,
        403: ForbiddenError,
        404: NotFoundError,
        429: RateLimitedError,
    }
    kind = UnavailableError if status >= 500 else kinds.get(status, RefusedError)
    return kind(detail, status=status, faults=faults)
