"""What an operator may say of a source: each kind has its secrets and its options."""

from dataclasses import replace

from console.domain.addresses import AddressPolicy
from console.domain.errors import InvalidInputError
from console.domain.event import check_event_type
from console.domain.kinds.naming import Place, parse_where
from console.domain.kinds.standard import key_of
from console.domain.policy import check_header_value
from console.domain.sealing import is_sealed
from console.domain.signing import KEY_PREFIX, MAX_SECRETS, PUBLIC_PREFIX, public_bytes_of
from console.domain.source import Answer, SignatureOptions, SourceKind, SourceOptions, SourceSpec, check_source_name

ALGORITHMS, ENCODINGS = ("sha256", "sha1", "sha512"), ("hex", "base64")
WITHOUT_SECRETS = frozenset({SourceKind.OPEN, SourceKind.CAPTURE})

MOST_NETWORKS = 200
LONGEST_ANSWER_BYTES = 64 * 1024
LONGEST_DELAY_S = 30.0
LONGEST_TOLERANCE_S = 86_400.0

_LONGEST_SECRET, _SHORTEST_SHARED, _SHORTEST_KEY_BYTES = 4096, 8, 16
_LONGEST_PREFIX = 60
_WITH_SIGNATURE = frozenset({SourceKind.HMAC, SourceKind.TOKEN})
_MISTAKEN = {
    SourceKind.STRIPE: (("sk_", "rk_", "pk_"), "an API key; the signing secret (whsec_…) is in the webhook's settings"),
    SourceKind.GITHUB: (("ghp_", "gho_", "ghs_", "github_pat_"), "an access token; the secret is the webhook's own"),
    SourceKind.SLACK: (
        ("xoxb-", "xoxp-", "xapp-"),
        "a token; the signing secret is under Basic Information of the app",
    ),
    SourceKind.SHOPIFY: (("shpat_", "shpca_"), "an access token; requests are signed with the app's client secret"),
}
"""How what people take for the secret begins, and what it is."""


def check_source(spec: SourceSpec) -> SourceSpec:
    """This spec, when every part of it is right, with what its kind has by default.

    Raises:
        InvalidInputError: no message holds a secret.
    """
    check_source_name(spec.name)
    _check_secrets(spec)
    _check_options(spec.kind, spec.options)
    if spec.kind is SourceKind.SLACK and spec.options.answer == Answer():
        # A slash command is answered with 200, else Slack tells the person who typed it that it failed.
        return replace(spec, options=replace(spec.options, answer=Answer(status=200)))
    return spec


def _check_secrets(spec: SourceSpec) -> None:
    if spec.kind in WITHOUT_SECRETS:
        if spec.secrets:
            raise InvalidInputError(f"secret: a source of kind {spec.kind} has none")
        return
    if not any(secret.until_ms is None for secret in spec.secrets):
        raise InvalidInputError(f"secret: a source of kind {spec.kind} needs one")
    if len(spec.secrets) > MAX_SECRETS:
        raise InvalidInputError(f"secret: {MAX_SECRETS} at most are valid at once")
    for secret in spec.secrets:
        if not is_sealed(secret.text):
            check_source_secret(spec.kind, secret.text)


def check_source_secret(kind: SourceKind, text: str) -> str:
    """One secret, as the provider has it. The message of the error never holds it.

    Raises:
        InvalidInputError
    """
    if not text or len(text) > _LONGEST_SECRET or not text.isprintable() or text != text.strip():
        raise InvalidInputError(
            f"secret: 1 to {_LONGEST_SECRET} printable characters, and no blanks or line breaks around them"
        )
    beginnings, what = _MISTAKEN.get(kind, ((), ""))
    if text.startswith(beginnings):
        raise InvalidInputError(f"secret: this is {what}")
    match kind:
        case SourceKind.STANDARD:
            _check_standard(text)
        case SourceKind.BASIC:
            user, colon, password = text.partition(":")
            if not (user and colon and password):
                raise InvalidInputError("secret: write it as user:password")
        case SourceKind.HMAC | SourceKind.TOKEN:
            if len(text) < _SHORTEST_SHARED:
                raise InvalidInputError(f"secret: at least {_SHORTEST_SHARED} characters, or anybody may guess it")
        case _:
            pass
    return text


def _check_standard(text: str) -> None:
    if text.startswith(KEY_PREFIX):
        raise InvalidInputError(
            f"secret: {KEY_PREFIX}… is what a sender signs with; a source needs its {PUBLIC_PREFIX}…"
        )
    if text.startswith(PUBLIC_PREFIX):
        if public_bytes_of(text) is None:
            raise InvalidInputError(f"secret: not the base64 of an ed25519 public key after {PUBLIC_PREFIX}")
        return
    key = key_of(text)
    if key is None or len(key) < _SHORTEST_KEY_BYTES:
        raise InvalidInputError(
            f"secret: whsec_ and the base64 of at least {_SHORTEST_KEY_BYTES} bytes, or {PUBLIC_PREFIX}…"
        )


def _check_options(kind: SourceKind, options: SourceOptions) -> None:
    if not 1 <= options.tolerance_s <= LONGEST_TOLERANCE_S:
        raise InvalidInputError(f"tolerance {options.tolerance_s:g}s: 1s to {LONGEST_TOLERANCE_S:g}s are allowed")
    _check_signature(kind, options.signature)
    for name, text in (("type-from", options.type_from), ("id-from", options.id_from)):
        if text is not None:
            _check_where(name, text)
    _check_prefix(options.type_prefix)
    if len(options.allow) > MOST_NETWORKS:
        raise InvalidInputError(f"allow: at most {MOST_NETWORKS} networks")
    AddressPolicy.parse(options.allow)
    _check_answer(kind, options.answer)


def _check_signature(kind: SourceKind, how: SignatureOptions) -> None:
    if kind not in _WITH_SIGNATURE and how != SignatureOptions():
        raise InvalidInputError(f"signature: kind {kind} signs as its provider does; only hmac and token have options")
    if kind is SourceKind.HMAC and how.header is None:
        raise InvalidInputError("signature-header: kind hmac needs the name of the header with the signature")
    for name in (how.header, how.timestamp_header):
        if name is not None and not _is_token(name):
            raise InvalidInputError(f"header name {name[:60]!r}: letters, digits and - are allowed")
    if how.algorithm not in ALGORITHMS:
        raise InvalidInputError(f"algorithm {how.algorithm[:40]!r}: one of {', '.join(ALGORITHMS)}")
    if how.encoding not in ENCODINGS:
        raise InvalidInputError(f"encoding {how.encoding[:40]!r}: one of {', '.join(ENCODINGS)}")
    if len(how.prefix) > _LONGEST_PREFIX or not how.prefix.isascii() or not how.prefix.isprintable():
        raise InvalidInputError(f"signature-prefix: at most {_LONGEST_PREFIX} printable ASCII characters")


def _is_token(name: str) -> bool:
    return bool(name) and len(name) <= 200 and all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)


def _check_where(option: str, text: str) -> None:
    try:
        where = parse_where(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"{option} {error}") from None
    if where.place is None and option == "id-from":
        raise InvalidInputError(f"id-from {text[:60]!r}: write header:NAME, body:path.in.it or query:NAME")
    if where.place is Place.HEADER and not _is_token(where.text):
        raise InvalidInputError(f"{option} {text[:60]!r}: that is no name of a header")


def _check_prefix(prefix: str) -> None:
    try:
        if prefix:
            check_event_type(f"{prefix}x")
        right = len(prefix) <= _LONGEST_PREFIX
    except InvalidInputError:
        right = False
    if not right:
        raise InvalidInputError(
            f"prefix {prefix[:60]!r}: the beginning of a type such as stripe., at most {_LONGEST_PREFIX} characters"
        )


def _check_answer(kind: SourceKind, answer: Answer) -> None:
    last = 599 if kind is SourceKind.CAPTURE else 299
    if not 200 <= answer.status <= last:
        why = "" if kind is SourceKind.CAPTURE else ": what is accepted is answered so, or the provider sends it again"
        raise InvalidInputError(f"respond {answer.status}: 200 to {last} are allowed{why}")
    if answer.status in (204, 205, 304) and answer.body:
        raise InvalidInputError(f"respond {answer.status}: such an answer has no body")
    if len(answer.body.encode("utf-8", "surrogatepass")) > LONGEST_ANSWER_BYTES:
        raise InvalidInputError(f"respond: a body of at most {LONGEST_ANSWER_BYTES:,} bytes")
    try:
        answer.body.encode()
    except UnicodeEncodeError:
        raise InvalidInputError("respond: the body is not valid Unicode") from None
    check_header_value("content-type", answer.content_type)
    if not 0 <= answer.delay_s <= LONGEST_DELAY_S:
        raise InvalidInputError(f"delay {answer.delay_s:g}s: 0s to {LONGEST_DELAY_S:g}s are allowed")
