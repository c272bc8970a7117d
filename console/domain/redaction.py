"""Which header fields and which parts of URLs hold secrets, and must not be kept or shown."""

import re
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

from console.domain.outcome import Headers

REDACTED = "[redacted]"

_SENSITIVE = re.compile(
    r"authorization|cookie|token|secret|passw|credential|session|(^|[-_])(api[-_]?)?key($|[-_])|apikey", re.IGNORECASE
)

_SECRET_PARAMETER = re.compile(r"auth|token|secret|key|passw|credential|session|^sig", re.IGNORECASE)


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


def redact_url(url: str) -> str:
    """The URL with the values of query parameters that are named like secrets replaced."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if not _SECRET_PARAMETER.search(parts.query):
        return url
    query = "&".join(
        f"{name}={REDACTED}" if equals and value and _SECRET_PARAMETER.search(name) else f"{name}{equals}{value}"
        for name, equals, value in (pair.partition("=") for pair in parts.query.split("&"))
    )
    return urlunsplit(parts._replace(query=query))
