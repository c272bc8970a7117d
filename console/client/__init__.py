"""A client of the HTTP API: `from console.client import Client, AsyncClient`.

    with Client("http://127.0.0.1:8400", token) as client:
        client.send("invoice.paid", {"id": 42})

What is sent is retried until it is accepted or refused, and never doubled.
"""

from console.client.asynchronous import AsyncClient
from console.client.errors import (
    ApiError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from console.client.models import (
    Accepted,
    Attempt,
    Delivery,
    Endpoint,
    Event,
    EventRow,
    Fault,
    NewEvent,
    Operation,
    Retried,
)
from console.client.synchronous import Client

__all__ = [
    "Accepted",
    "ApiError",
    "AsyncClient",
    "Attempt",
    "Client",
    "Delivery",
    "Endpoint",
    "Event",
    "EventRow",
    "Fault",
    "ForbiddenError",
    "NewEvent",
    "NotFoundError",
    "Operation",
    "RateLimitedError",
    "RefusedError",
    "Retried",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
]
