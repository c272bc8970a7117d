"""Payloads from outside: one JSON value in UTF-8, kept byte for byte."""

from console.domain.errors import InvalidInputError
from console.domain.event import PAYLOAD_CAP_BYTES
from console.domain.strict_json import check_strict, reason_of

__all__ = ["check_payload", "reason_of"]

_BLANKS = b" \t\r\n"


def check_payload(data: bytes) -> bytes:
    """The payload without the blanks around it.

    Valid is what RFC 8259 says, in UTF-8 without a byte order mark, with strings that are valid Unicode (RFC 7493): no
    NaN, no lone surrogates; and what every decoder reads the same, as `check_strict` has it: no key twice.

    Raises:
        InvalidInputError: says what is wrong and where.
    """
    data = data.strip(_BLANKS)
    if len(data) > PAYLOAD_CAP_BYTES:
        raise InvalidInputError(f"payload of {len(data):,} bytes: at most {PAYLOAD_CAP_BYTES:,} are accepted")
    if not data:
        raise InvalidInputError("payload is empty: JSON is needed")
    try:
        check_strict(data)
    except InvalidInputError as problem:
        raise InvalidInputError(f"payload is {problem}") from None
    return data
