"""Kinds of no provider in particular: a signed body, a password, a token, or nothing. They take any body."""

import base64
from urllib.parse import parse_qsl

from console.domain.inbound import InboundRequest, Refused, Reply
from console.domain.kinds.body import parse_any, parse_form, written
from console.domain.kinds.proof import (
    Proving,
    any_equal,
    as_bytes,
    digests,
    malformed,
    missing,
    unmatched,
    unproved,
    untimely,
)
from console.domain.kinds.reading import Found, found, reply

TOKEN_HEADER, TOKEN_PARAMETER = "X-Webhook-Token", "token"
"""Where a token is looked for when no header is named, beside `Authorization: Bearer`."""

_MOST_PARAMETERS = 1000


def prove_hmac(proving: Proving) -> Refused | None:
    how = proving.options.signature
    header = how.header or ""
    given = proving.request.header(header)
    if given is None:
        return missing(header)
    if not given.startswith(how.prefix):
        return malformed(header, f"{how.prefix}…")
    signed, timestamp = proving.request.body, None
    if how.timestamp_header is not None:
        timestamp = proving.request.header(how.timestamp_header)
        if timestamp is None:
            return missing(how.timestamp_header)
        signed = as_bytes(timestamp) + b"." + signed
    made = digests(proving, signed, how.algorithm)
    expected = [base64.b64encode(digest).decode() for digest in made]
    if how.encoding == "hex":
        expected = [text for digest in made for text in (digest.hex(), digest.hex().upper())]
    if not any_equal([given.removeprefix(how.prefix)], expected):
        return unmatched(proving)
    return None if timestamp is None else untimely(proving, how.timestamp_header or "", timestamp)


def prove_basic(proving: Proving) -> Refused | None:
    given = proving.request.header("Authorization")
    if given is None:
        return missing("Authorization")
    scheme, _, text = given.partition(" ")
    if scheme.lower() != "basic":
        return malformed("Authorization", "Basic …")
    expected = [base64.b64encode(as_bytes(secret)).decode() for secret in proving.secrets]
    return None if any_equal([text.strip()], expected) else unproved("user or password is wrong")


def prove_token(proving: Proving) -> Refused | None:
    request, how = proving.request, proving.options.signature
    given: list[str] = []
    if how.header is not None:
        value = request.header(how.header)
        if value is None:
            return missing(how.header)
        given = [value.removeprefix(how.prefix)]
    else:
        scheme, _, bearer = (request.header("Authorization") or "").partition(" ")
        given += [bearer.strip()] if scheme.lower() == "bearer" else []
        header = request.header(TOKEN_HEADER)
        given += [] if header is None else [header]
        given += [value for name, value in _parameters(request) if name == TOKEN_PARAMETER][:1]
    if not given:
        return unproved(f"no token: neither Authorization: Bearer, nor {TOKEN_HEADER}, nor ?{TOKEN_PARAMETER}=")
    return None if any_equal(given, proving.secrets) else unproved("the token is wrong")


def _parameters(request: InboundRequest) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return []


def prove_nothing(proving: Proving) -> Refused | None:
    return None


def read(request: InboundRequest) -> Found | Reply | Refused:
    """Without a body, the query is the payload; a look at the URL is no event."""
    if request.body:
        parsed = parse_any(request)
        return parsed if isinstance(parsed, Refused) else found(parsed)
    fields = parse_form(request.query)
    if isinstance(fields, Refused):
        return fields
    fields.pop(TOKEN_PARAMETER, None)
    if request.method in ("HEAD", "OPTIONS") or (request.method == "GET" and not fields):
        return reply(f"a look at the URL ({request.method} without anything in it)")
    parsed = written(fields)
    return parsed if isinstance(parsed, Refused) else found(parsed)
