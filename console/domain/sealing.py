"""Secrets at rest: texts sealed with AES-256-GCM, for whoever has the key to open.

A sealed text is `sealed:1:<key id>:<base64 of nonce and ciphertext>`, bound to what it is for: one that is moved to
another endpoint, or to another field, does not open.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from console.domain.errors import ConfigError, SealedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
DEFAULTS = "defaults"
"""The owner of what is set for all endpoints; every other owner is an endpoint's id."""

_MARK = "sealed:"
_FORM = re.compile(r"sealed:1:([0-9a-f]{8}):([A-Za-z0-9+/]+={0,2})")
_NONCE_BYTES = 12


def is_sealed(text: str) -> bool:
    """Whether a text is sealed, or says so: such a text is never sent, and never signs."""
    return text.startswith(_MARK)


def key_id_of(sealed: str) -> str | None:
    """Which key sealed a text; None when that cannot be told."""
    form = _FORM.fullmatch(sealed)
    return form[1] if form else None


def encode_key(key: bytes) -> str:
    """A key as it is written in an environment or a file."""
    return base64.b64encode(key).decode()


class Keyring:
    """The keys at hand, newest first: the first one seals, all of them open. Empty: nothing is sealed.

    Args:
        entropy: so many bytes of a cryptographic random source; what it gives must never repeat.
    """

    def __init__(self, keys: Sequence[bytes] = (), *, entropy: Callable[[int], bytes] = os.urandom) -> None:
        assert all(len(key) == KEY_BYTES for key in keys)
        self._keys = {_key_id(key): key for key in keys}
        self._entropy = entropy

    @classmethod
    def parse(cls, text: str, place: str) -> "Keyring":
        """Keys in base64, separated by commas or blanks.

        Raises:
            ConfigError: names `place` and what is wrong, never a key.
        """
        keys = []
        for number, word in enumerate(text.replace(",", " ").split(), 1):
            try:
                key = base64.b64decode(word, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if len(key) != KEY_BYTES:
                raise ConfigError(
                    f"{place}: key {number} is not the base64 of {KEY_BYTES} bytes: "
                    "'webhook-console secrets generate-key' makes one"
                )
            keys.append(key)
        if not keys:
            raise ConfigError(f"{place}: no key in it: 'webhook-console secrets generate-key' makes one")
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """What the keys are called in sealed texts: no secret."""
        return tuple(self._keys)

    def seal(self, text: str, owner: str, field: str) -> str:
        """A text sealed with the first key, for one field of one owner. One that is sealed already stays as it is.

        Without a key the text itself.
        """
        if not self._keys or is_sealed(text):
            return text
        key_id, key = next(iter(self._keys.items()))
        nonce = self._entropy(_NONCE_BYTES)
        sealed = nonce + _cipher(key).encrypt(nonce, text.encode(), _purpose(owner, field))
        return f"{_MARK}1:{key_id}:{base64.b64encode(sealed).decode()}"

    def open(self, text: str, owner: str, field: str) -> str:
        """What was sealed for this owner, or for all endpoints; a text that is not sealed is itself.

        Raises:
            SealedError: its key is not at hand, or it was changed, or sealed for something else.
        """
        if not is_sealed(text):
            return text
        form = _FORM.fullmatch(text)
        if form is None:
            raise SealedError(f"{field}: says that it is sealed, in a form that is not known")
        key = self._keys.get(form[1])
        if key is None:
            raise SealedError(f"{field}: is sealed with key {form[1]}, which is not at hand")
        # What an endpoint takes over from the defaults, when a header of its own is added, is sealed for those.
        for one in (owner, DEFAULTS):
            opened = _opened(key, form[2], _purpose(one, field))
            if opened is not None:
                return opened
        raise SealedError(f"{field}: was changed since key {form[1]} sealed it, or was sealed for something else")


NO_KEYS = Keyring()


def _key_id(key: bytes) -> str:
    import hashlib  # loads OpenSSL, which whoever has no keys does not need

    return hashlib.sha256(b"webhook-console key id\0" + key).hexdigest()[:8]


def _purpose(owner: str, field: str) -> bytes:
    return f"webhook-console/{owner}/{field}".encode()


def _opened(key: bytes, encoded: str, purpose: bytes) -> str | None:
    from cryptography.exceptions import InvalidTag

    try:
        raw = base64.b64decode(encoded, validate=True)
        return _cipher(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose).decode()
    except (InvalidTag, ValueError):
        return None


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> "AESGCM":
    # Imported here: most commands seal nothing, and it costs 40 ms.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
