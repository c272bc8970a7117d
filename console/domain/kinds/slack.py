"""Slack: `X-Slack-Signature: v0=…`, the hex HMAC-SHA256 of `v0:timestamp:body`.

https://docs.slack.dev/authentication/verifying-requests-from-slack. Events come as JSON, slash commands and what people
click as forms.
"""

from console.domain.inbound import InboundRequest, Refused, Reply
from console.domain.kinds.body import FORM, Parsed, media_type, parse_form, parse_json, text_at, written
from console.domain.kinds.proof import (
    Proving,
    any_equal,
    as_bytes,
    digests,
    malformed,
    missing,
    unmatched,
    untimely,
)
from console.domain.kinds.reading import Found, found, reply

_SIGNATURE, _TIMESTAMP, _PREFIX = "X-Slack-Signature", "X-Slack-Request-Timestamp", "v0="


def prove(proving: Proving) -> Refused | None:
    signature, timestamp = proving.request.header(_SIGNATURE), proving.request.header(_TIMESTAMP)
    if signature is None or timestamp is None:
        return missing(_SIGNATURE if signature is None else _TIMESTAMP)
    if not signature.startswith(_PREFIX):
        return malformed(_SIGNATURE, "v0=…")
    signed = b"v0:" + as_bytes(timestamp) + b":" + proving.request.body
    expected = [digest.hex() for digest in digests(proving, signed)]
    if not any_equal([signature.removeprefix(_PREFIX)], expected):
        return unmatched(proving)
    return untimely(proving, _TIMESTAMP, timestamp)


def read(request: InboundRequest) -> Found | Reply | Refused:
    if media_type(request) == FORM:
        return _read_form(request)
    parsed = parse_json(request.body)
    if isinstance(parsed, Refused):
        return parsed
    outer = text_at(parsed.value, "type")
    if outer == "url_verification":
        return reply("Slack's verification of the URL", text_at(parsed.value, "challenge") or "")
    inner = text_at(parsed.value, "event", "type")
    return found(parsed, type=inner or outer, id=text_at(parsed.value, "event_id"))


def _read_form(request: InboundRequest) -> Found | Reply | Refused:
    fields = parse_form(request.body.decode("utf-8", "replace"))
    if isinstance(fields, Refused):
        return fields
    if fields.get("ssl_check") == "1":
        return reply("Slack's look at the certificate")
    interaction = fields.get("payload")
    if isinstance(interaction, str):
        parsed = parse_json(interaction.encode("utf-8", "replace"))
        return parsed if isinstance(parsed, Refused) else _interaction(parsed)
    parsed = written(fields)
    if isinstance(parsed, Refused):
        return parsed
    command = (text_at(fields, "command") or "").lstrip("/")
    return found(
        parsed,
        type=f"slash_command.{command}" if command else "slash_command",
        id=text_at(fields, "trigger_id"),
    )


def _interaction(parsed: Parsed) -> Found:
    """A button, a dialogue, a shortcut: `block_actions`, `view_submission`."""
    return found(parsed, type=text_at(parsed.value, "type"), id=text_at(parsed.value, "trigger_id"))
