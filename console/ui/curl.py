"""One attempt's request as a command for a POSIX shell, safe to paste: one line, no control characters, no secrets."""

import re
import shlex

from console.domain.outcome import Headers
from console.domain.redaction import REDACTED, is_sensitive, redact_url
from console.ui.format import inline

_SECRET_NAME = re.compile(r"auth|cookie|token|secret|key|passw|credential|session", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_IMPOSSIBLE_IN_A_FIELD = str.maketrans({"\r": "␍", "\n": "␊", "\0": "␀"})
_SET_BY_CURL = frozenset({"content-length", "host", "connection", "transfer-encoding"})

_LONGEST_ARGUMENT_BYTES = 96 * 1024
"""Linux refuses a single argument above 128 KiB, so a longer body goes through standard input."""


def is_secret_header(name: str) -> bool:
    """Whether a header's value is kept out of what is copied: all that the store redacts, and a little more, since
    what is copied is pasted elsewhere. `webhook-signature` is no secret: it is made of one."""
    return is_sensitive(name) or _SECRET_NAME.search(name) is not None


def as_curl(request_headers: Headers, url: str, body: bytes, *, method: str = "POST") -> str:
    """The command that would send this request again.

    Values of headers and query parameters that hold secrets are replaced by `[redacted]`, the mark of the store.
    Headers that no HTTP request can carry are left out. Whatever a terminal or a shell would obey is written as octal
    escapes of printf, which every POSIX shell has, unlike `$'…'`.
    """
    words = ["curl", "-i", "--globoff"]
    if method != "POST" and _TOKEN.fullmatch(method):
        words += ["-X", _quote(method)]
    words += ["--url", _quote(redact_url(url).replace("\0", "␀"))]
    for name, value in request_headers:
        if _TOKEN.fullmatch(name) and name.lower() not in _SET_BY_CURL:
            words += ["-H", _quote(_field(name, value))]
    if not any(name.lower() == "content-type" for name, _ in request_headers):
        words += ["-H", "Content-Type:"]  # else curl says that it is a form
    text = _plain_text(body)
    if text is not None and not text.startswith("@") and len(body) <= _LONGEST_ARGUMENT_BYTES:
        return " ".join([*words, "--data-binary", shlex.quote(text)])
    return " ".join(["printf", _printf_format(body), "|", *words, "--data-binary", "@-"])


def _field(name: str, value: str) -> str:
    clean = value.translate(_IMPOSSIBLE_IN_A_FIELD)
    if not clean.strip():
        return f"{name};"  # curl's way to send an empty field; `name:` would leave it out
    return f"{name}: {REDACTED if is_secret_header(name) else clean}"


def _plain_text(data: bytes) -> str | None:
    """The bytes as text that can stand on one line; None when they cannot."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if inline(text) == text else None


def _quote(text: str) -> str:
    if inline(text) == text:
        return shlex.quote(text)
    return f'"$(printf {_printf_format(text.encode("utf-8", "surrogateescape"))})"'


def _printf_format(data: bytes) -> str:
    """A quoted format for printf(1) that gives back these bytes."""
    text = data.decode("utf-8", "surrogateescape")
    escaped = "".join(_escape(c) for c in text)
    # A leading - would be read as an option.
    return shlex.quote("\\055" + escaped[1:] if escaped.startswith("-") else escaped)


def _escape(c: str) -> str:
    if c in "\\%":
        return c + c
    if inline(c) == c:
        return c
    return "".join(f"\\{byte:03o}" for byte in c.encode("utf-8", "surrogateescape"))
