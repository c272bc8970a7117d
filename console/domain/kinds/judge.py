"""What a request that came in is: an event, a handshake, or nothing to be taken."""

from collections.abc import Callable
from dataclasses import dataclass

from console.domain.inbound import Genuine, InboundRequest, Judged, Refused, Reply
from console.domain.kinds import github, plain, shopify, slack, standard, stripe
from console.domain.kinds.naming import id_of, type_of
from console.domain.kinds.proof import Proving, unproved
from console.domain.kinds.reading import Found
from console.domain.source import Source, SourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How requests of a kind are proved, and how they are read."""

    prove: Callable[[Proving], Refused | None]
    read: Callable[[InboundRequest], Found | Reply | Refused]
    proves: bool = True
    """It needs a secret."""


_KINDS = {
    SourceKind.STRIPE: _Kind(prove=stripe.prove_stripe, read=stripe.read_stripe),
    SourceKind.CALENDLY: _Kind(prove=stripe.prove_calendly, read=stripe.read_calendly),
    SourceKind.GITHUB: _Kind(prove=github.prove, read=github.read),
    SourceKind.SLACK: _Kind(prove=slack.prove, read=slack.read),
    SourceKind.SHOPIFY: _Kind(prove=shopify.prove, read=shopify.read),
    SourceKind.STANDARD: _Kind(prove=standard.prove, read=standard.read),
    SourceKind.HMAC: _Kind(prove=plain.prove_hmac, read=plain.read),
    SourceKind.BASIC: _Kind(prove=plain.prove_basic, read=plain.read),
    SourceKind.TOKEN: _Kind(prove=plain.prove_token, read=plain.read),
    SourceKind.OPEN: _Kind(prove=plain.prove_nothing, read=plain.read, proves=False),
}


def judge_request(source: Source, request: InboundRequest, *, secrets: tuple[str, ...], now_ms: int) -> Judged:
    """What a request is. Whatever it holds, this returns.

    Args:
        secrets: those of the source that are active now, opened.
    """
    if source.kind is SourceKind.CAPTURE:
        answer = source.options.answer
        return Reply(status=answer.status, body=answer.body.encode(), content_type=answer.content_type, why="captured")
    kind = _KINDS[source.kind]
    if kind.proves and not secrets:
        return unproved(f"source {source.name} has no secret that is valid now: sources rotate-secret gives it one")
    refused = kind.prove(Proving(request=request, options=source.options, secrets=secrets, now_ms=now_ms))
    if refused is not None:
        return refused
    found = kind.read(request)
    if not isinstance(found, Found):
        return found
    return Genuine(type=type_of(source, request, found), id=id_of(source, request, found), payload=found.payload)
