"""GitHub: `X-Hub-Signature-256: sha256=…`, the hex HMAC-SHA256 of the body.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries. A redelivery has the
`X-GitHub-Delivery` of the first.
"""

from console.domain.inbound import InboundRequest, Refused, Reply
from console.domain.kinds.body import FORM, media_type, parse_form, parse_json, senseless, text_at
from console.domain.kinds.proof import Proving, any_equal, digests, malformed, missing, unmatched, unproved
from console.domain.kinds.reading import Found, found, reply

_HEADER, _PREFIX = "X-Hub-Signature-256", "sha256="


def prove(proving: Proving) -> Refused | None:
    text = proving.request.header(_HEADER)
    if text is None and proving.request.header("X-Hub-Signature") is not None:
        return unproved(f"header {_HEADER} is missing: the sha1 of X-Hub-Signature alone is not taken")
    if text is None:
        return unproved(f"header {_HEADER} is missing: set this source's secret in the webhook's settings at GitHub")
    if not text.startswith(_PREFIX):
        return malformed(_HEADER, "sha256=…")
    expected = [digest.hex() for digest in digests(proving, proving.request.body)]
    return None if any_equal([text.removeprefix(_PREFIX)], expected) else unmatched(proving)


def read(request: InboundRequest) -> Found | Reply | Refused:
    """`push`, `pull_request.opened`: the event, and the payload's action when it has one."""
    event = request.header("X-GitHub-Event")
    if not event:
        return senseless(missing("X-GitHub-Event").reason)
    if event == "ping":
        return reply("GitHub's ping", "pong")
    body = request.body
    if media_type(request) == FORM:
        fields = parse_form(body.decode("utf-8", "replace"))
        if isinstance(fields, Refused):
            return fields
        text = fields.get("payload")
        if not isinstance(text, str):
            return senseless("the form has no field payload")
        body = text.encode("utf-8", "replace")
    parsed = parse_json(body)
    if isinstance(parsed, Refused):
        return parsed
    action = text_at(parsed.value, "action")
    return found(parsed, type=f"{event}.{action}" if action else event, id=request.header("X-GitHub-Delivery"))
