"""Which header fields hold secrets, and must not be kept or shown."""

import re
from functools import lru_cache

from console.domain.outcome import Headers

REDACTED = "[redacted]"

_SENSITIVE = re.compile(
    r"authorization|cookie|token|secret|passw|credential|session|(^|[-_])(api[-_]?)?key($|[-_])|apikey", re.IGNORECASE
)


@lru_cache(maxsize=4096)
def is_sensitive(header: str) -> bool:
    """Whether a field of this name is taken to hold a secret. A webhook signature is none: it opens nothing."""
    return _SENSITIVE.search(header) is not None


def redact(headers: Headers) -> Headers:
    """The same fields in the same order, with the values of sensitive ones replaced."""
    for name, _ in headers:
        if is_sensitive(name):
            return tuple((name, REDACTED if is_sensitive(name) else value) for name, value in headers)
    return headers  # most have nothing to hide, and every answer passes here
