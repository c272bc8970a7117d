"""Sources: where webhooks come in, at `/in/NAME`."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import NewType

from console.domain.errors import InvalidInputError
from console.domain.ids import random_text
from console.domain.policy import RateLimit
from console.domain.signing import Secret

SourceId = NewType("SourceId", str)
"""`src_…`"""

SOURCE_PREFIX = "src_"

TOLERANCE_S = 300.0
"""How far a signed timestamp may be from now, both ways: what Stripe, Slack and Standard Webhooks say."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class SourceKind(StrEnum):
    """Whose requests come in, and so how they are signed and what they say of themselves."""

    STRIPE = "stripe"
    GITHUB = "github"
    SLACK = "slack"
    SHOPIFY = "shopify"
    CALENDLY = "calendly"
    STANDARD = "standard"
    """Standard Webhooks: Svix, Resend, Clerk, another webhook-console."""
    HMAC = "hmac"
    """Anybody who signs the body: the header, the digest and how it is written are options."""
    BASIC = "basic"
    """HTTP Basic authentication; the secret is `user:password`."""
    TOKEN = "token"
    """A shared token in a header, as a bearer or in the query."""
    OPEN = "open"
    """No proof at all: whoever knows the URL."""
    CAPTURE = "capture"
    """A throw-away URL: everything is recorded, nothing is an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureOptions:
    """How a `hmac` source is signed; for `token`, `header` says where the token is."""

    header: str | None = None
    algorithm: str = "sha256"
    """sha256, sha1 or sha512."""
    encoding: str = "hex"
    """hex or base64."""
    prefix: str = ""
    """What stands before the signature in the header: `sha256=`."""
    timestamp_header: str | None = None
    """A header with unix seconds, which is signed too: `{timestamp}.{body}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a genuine request is answered with."""

    status: int = 202
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What an operator may say of a source beside its kind and secrets."""

    tolerance_s: float = TOLERANCE_S
    signature: SignatureOptions = SignatureOptions()
    type_from: str | None = None
    """Where an event's type is: `header:X-Event`, `body:data.type`, `query:type`, or a type as it is. None: as the kind
    has it, else `<name>.received`."""
    id_from: str | None = None
    """Where its id is, in the same words. None: as the kind has it, else none."""
    type_prefix: str = ""
    """Stands before every type: `stripe.`"""
    allow: tuple[str, ...] = ()
    """Networks (CIDR) that requests may come from; empty: any."""
    rate_limit: RateLimit | None = None
    answer: Answer = Answer()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """What an operator says of a source."""

    name: str
    kind: SourceKind
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    """Any of those that have not ended verifies. As the provider has them: no prefix of ours is asked for."""
    options: SourceOptions = SourceOptions()
    until_ms: int | None = None
    """From then on nothing is taken; a capture that is thrown away. None: for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A named URL under which webhooks come in."""

    seq: int
    id: SourceId
    name: str
    kind: SourceKind
    secrets: tuple[Secret, ...] = field(repr=False)
    options: SourceOptions
    until_ms: int | None
    enabled: bool
    created_at_ms: int
    version: int

    def open_at(self, now_ms: int) -> bool:
        """Whether it takes anything."""
        return self.enabled and (self.until_ms is None or now_ms < self.until_ms)

    @property
    def spec(self) -> SourceSpec:
        return SourceSpec(
            name=self.name, kind=self.kind, secrets=self.secrets, options=self.options, until_ms=self.until_ms
        )


def new_source_id(random: Random) -> SourceId:
    """`src_` and 12 random characters (60 bits)."""
    return SourceId(SOURCE_PREFIX + random_text(random, 12))


def new_capture_name(random: Random) -> str:
    """26 random characters (130 bits): whoever does not know the URL does not find it."""
    return random_text(random, 26)


def check_source_name(text: str) -> str:
    """It is a part of a URL and, with `_` behind it, the beginning of event ids: lower-case letters, digits and `-`.

    Raises:
        InvalidInputError
    """
    if not _NAME.fullmatch(text):
        raise InvalidInputError(f"source {text[:80]!r}: 1 to 64 lower-case letters, digits and - are allowed")
    return text
