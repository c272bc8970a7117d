"""Standard Webhooks signatures (https://www.standardwebhooks.com, specification 1.0.0).

Signed bytes are `{id}.{timestamp}.{body}`. Symmetric secrets (`whsec_` + base64 of 24–64 bytes) give `v1,` signatures
by HMAC-SHA256; ed25519 keys (`whsk_` + base64 of seed, or of seed and public key) give `v1a,`.
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from console.domain.errors import InvalidInputError
from console.domain.sealing import is_sealed

if TYPE_CHECKING:
    import hmac

SECRET_PREFIX, KEY_PREFIX, PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = 32
"""What a new secret is made of."""

MAX_SECRETS = 10
"""Each one signs every request."""

_MIN_BYTES, _MAX_BYTES = 24, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One signing secret of an endpoint."""

    text: str = field(repr=False)
    """`whsec_…` or `whsk_…`, or the same sealed."""
    until_ms: int | None = None
    """From then on it does not sign; None: until it is replaced."""
    public_key: str | None = None
    """`whpk_…`, by which receivers verify what an ed25519 key signed; None for a secret that both sides know."""

    def active(self, now_ms: int) -> bool:
        return self.until_ms is None or now_ms < self.until_ms


def active_secrets(secrets: Iterable[Secret], now_ms: int) -> tuple[Secret, ...]:
    """Those that sign now."""
    return tuple(secret for secret in secrets if secret.active(now_ms))


def check_secrets(secrets: Sequence[Secret]) -> None:
    """What the secrets of an endpoint must be: right each, few, and one of them without an end.

    Raises:
        InvalidInputError
    """
    for secret in secrets:
        if not is_sealed(secret.text):
            check_secret(secret.text)
    if not any(secret.until_ms is None for secret in secrets):
        raise InvalidInputError("secret: at least one is needed")
    if len(secrets) > MAX_SECRETS:
        raise InvalidInputError(
            f"secret: {MAX_SECRETS} at most sign at once: rotate with --overlap 0 to end the others"
        )


def rotated(secrets: Iterable[Secret], new: Secret, until_ms: int, now_ms: int) -> tuple[Secret, ...]:
    """The new secret, and those that sign now until they end, which is at `until_ms` at the latest."""
    if until_ms <= now_ms:
        return (new,)
    others = (s for s in active_secrets(secrets, now_ms) if s.text != new.text)
    return (new, *(s if s.until_ms and s.until_ms <= until_ms else replace(s, until_ms=until_ms) for s in others))


def with_public_key(secret: Secret) -> Secret:
    """The same, knowing its public key when it is an ed25519 key that is not sealed."""
    if secret.public_key is not None or not secret.text.startswith(KEY_PREFIX):
        return secret
    return replace(secret, public_key=public_key_of(secret.text))


def make_secret(random_bytes: bytes) -> str:
    """`whsec_…` from 24 to 64 bytes of a cryptographic random source."""
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def make_key(seed: bytes) -> str:
    """`whsk_…`, an ed25519 key, from 32 bytes of a cryptographic random source."""
    public = base64.b64decode(_public_key(seed))
    return KEY_PREFIX + base64.b64encode(seed + public).decode()


def public_key_of(key: str) -> str:
    """`whpk_…` of `whsk_…`.

    Raises:
        InvalidInputError: it is no ed25519 key.
    """
    if not key.startswith(KEY_PREFIX):
        raise InvalidInputError("secret: only an ed25519 key (whsk_…) has a public key")
    return PUBLIC_PREFIX + _public_key(_key_bytes(key))


def public_bytes_of(key: str) -> bytes | None:
    """The public key of `whsk_…` or `whpk_…`; None when it is no ed25519 key."""
    try:
        if key.startswith(KEY_PREFIX):
            return base64.b64decode(_public_key(_key_bytes(key)))
        public = base64.b64decode(key.removeprefix(PUBLIC_PREFIX), validate=True)
    except (InvalidInputError, binascii.Error, ValueError):
        return None
    return public if len(public) == 32 else None


def _public_key(seed: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()).decode()


def check_secret(text: str) -> str:
    """A secret of either kind. The message of the error never holds the secret.

    Raises:
        InvalidInputError
    """
    _key_bytes(text)
    return text


@lru_cache(maxsize=4096)
def _key_bytes(secret: str) -> bytes:
    asymmetric = secret.startswith(KEY_PREFIX)
    try:
        key = base64.b64decode(secret.removeprefix(KEY_PREFIX if asymmetric else SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInputError("secret: not base64 after its prefix (whsec_… or whsk_…)") from None
    if asymmetric:
        if len(key) not in (32, 64):
            raise InvalidInputError(f"secret: an ed25519 key has 32 or 64 bytes, this one {len(key)}")
        return key[:32]
    if not secret.startswith(SECRET_PREFIX):
        raise InvalidInputError("secret: must begin with whsec_ (or whsk_ for an ed25519 key)")
    if not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise InvalidInputError(f"secret: {_MIN_BYTES} to {_MAX_BYTES} bytes are needed, this one has {len(key)}")
    return key


def sign(secrets: Iterable[str], event_id: str, timestamp_s: int, body: bytes) -> str:
    """The `webhook-signature` header: one signature per active secret, separated by spaces."""
    signed = f"{event_id}.{timestamp_s}.".encode() + body
    return " ".join(_sign_one(secret, signed) for secret in secrets)


def _sign_one(secret: str, signed: bytes) -> str:
    if secret.startswith(KEY_PREFIX):
        # Imported here: only ed25519 needs it, and it costs 40 ms.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        signature = Ed25519PrivateKey.from_private_bytes(_key_bytes(secret)).sign(signed)
        return "v1a," + base64.b64encode(signature).decode()
    keyed = _keyed(secret).copy()
    keyed.update(signed)
    return "v1," + base64.b64encode(keyed.digest()).decode()


@lru_cache(maxsize=4096)
def _keyed(secret: str) -> "hmac.HMAC":
    """HMAC-SHA256 with the key taken in, to be copied: a third cheaper than from the key each time."""
    import hmac  # loads OpenSSL, which whoever only reads does not need

    return hmac.new(_key_bytes(secret), digestmod="sha256")


def redacted_secret(secret: Secret) -> str:
    """`whsec_…abcd`: enough to tell two apart; `whsec_… sealed` where that cannot be told without the key."""
    prefix = KEY_PREFIX if secret.public_key or secret.text.startswith(KEY_PREFIX) else SECRET_PREFIX
    return f"{prefix}… sealed" if is_sealed(secret.text) else f"{prefix}…{secret.text[-4:]}"
