"""Payloads from outside: one JSON value in UTF-8, kept byte for byte."""

import msgspec

from console.domain.errors import InvalidInputError
from console.domain.event import PAYLOAD_CAP_BYTES

_RAW = msgspec.json.Decoder(msgspec.Raw)
_BLANKS = b" \t\r\n"


def check_payload(data: bytes) -> bytes:
    """The payload without the blanks around it.

    Valid is what RFC 8259 says, in UTF-8 without a byte order mark, with strings that are valid Unicode (RFC 7493):
    no NaN, no lone surrogates.

    Raises:
        InvalidInputError: says what is wrong and at which byte.
    """
    data = data.strip(_BLANKS)
    if len(data) > PAYLOAD_CAP_BYTES:
        raise InvalidInputError(f"payload of {len(data):,} bytes: at most {PAYLOAD_CAP_BYTES:,} are accepted")
    if not data:
        raise InvalidInputError("payload is empty: JSON is needed")
    try:
        data.decode()
        _RAW.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise InvalidInputError(f"payload is not JSON: {reason_of(problem)}") from None
    return data


def reason_of(problem: Exception) -> str:
    """What a decoder disliked, in its own words made short."""
    match problem:
        case UnicodeDecodeError():
            return f"not UTF-8 at byte {problem.start}"
        case RecursionError():
            return "nested too deeply"
        case _:
            return str(problem).removeprefix("JSON is malformed: ")
