"""Standard Webhooks signatures (https://www.standardwebhooks.com, specification 1.0.0).

Signed bytes are `{id}.{timestamp}.{body}`. Symmetric secrets (`whsec_` + base64 of 24–64 bytes) give `v1,` signatures
by HMAC-SHA256; ed25519 keys (`whsk_` + base64 of seed, or of seed and public key) give `v1a,`.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from functools import lru_cache

from console.domain.errors import InvalidInputError

SECRET_PREFIX, KEY_PREFIX = "whsec_", "whsk_"
_MIN_BYTES, _MAX_BYTES = 24, 64


def make_secret(random_bytes: bytes) -> str:
    """`whsec_…` from 24 to 64 bytes of a cryptographic random source."""
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


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


def sign(secrets: Sequence[str], event_id: str, timestamp_s: int, body: bytes) -> str:
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
def _keyed(secret: str) -> hmac.HMAC:
    """HMAC-SHA256 with the key taken in, to be copied: a third cheaper than from the key each time."""
    return hmac.new(_key_bytes(secret), digestmod="sha256")
