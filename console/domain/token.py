"""Tokens: who may call the HTTP API, and for what. Only a digest of one is kept."""

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import NewType

from console.domain.ids import random_text
from console.domain.policy import RateLimit

TokenId = NewType("TokenId", str)
"""`tok_…`, which is no secret."""

PREFIX = "whc_"
"""How a token begins, so that scanners for leaked secrets can know it."""


class Scope(StrEnum):
    """What a token is good for. `*:write` does not include reading."""

    EVENTS_WRITE = "events:write"
    EVENTS_READ = "events:read"
    """Events, deliveries, attempts, statistics."""
    ENDPOINTS_READ = "endpoints:read"
    ENDPOINTS_WRITE = "endpoints:write"
    DELIVERIES_WRITE = "deliveries:write"
    """Retry and cancel."""
    METRICS_READ = "metrics:read"
    OPERATIONS_READ = "operations:read"


ALL_SCOPES = tuple(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept."""

    id: TokenId
    name: str
    digest: bytes = field(repr=False)
    """SHA-256 of the token. It has 160 random bits, so that no slow hash is needed."""
    scopes: tuple[Scope, ...]
    rate_limit: RateLimit | None
    created_at_ms: int
    last_used_at_ms: int | None
    until_ms: int | None
    """From then on it opens nothing; None: until it is revoked."""

    def active(self, now_ms: int) -> bool:
        return self.until_ms is None or now_ms < self.until_ms


def new_token(random: Random) -> tuple[TokenId, str]:
    """An id, and the token itself: `whc_<id's letters>_<32 letters>`. It is shown once."""
    letters = random_text(random, 12)
    return TokenId(f"tok_{letters}"), f"{PREFIX}{letters}_{random_text(random, 32)}"


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def id_in(token: str) -> TokenId | None:
    """The id that a token names; None: it has not the form of one."""
    letters, _, secret = token.removeprefix(PREFIX).partition("_")
    return TokenId(f"tok_{letters}") if token.startswith(PREFIX) and letters and secret else None


def matches(token: Token, text: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(token.digest, digest_of(text))
