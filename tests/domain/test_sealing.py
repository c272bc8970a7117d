"""Sealed texts: opened by the right key for the right purpose, and by nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.errors import ConfigError, SealedError
from console.domain.sealing import DEFAULTS, NO_KEYS, Keyring, encode_key, is_sealed, key_id_of

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
OWNER, FIELD = "ep_crm", "signing secret"


@given(st.text(max_size=200))
def test_what_is_sealed_opens_as_it_was(text: str) -> None:
    keys = Keyring([KEY])
    sealed = keys.seal("x" + text, OWNER, FIELD)
    assert is_sealed(sealed)
    assert key_id_of(sealed) == keys.key_ids[0]
    assert keys.open(sealed, OWNER, FIELD) == "x" + text


def test_the_form_is_what_the_documentation_says() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    keys = Keyring([KEY], entropy=lambda n: bytes(n))
    mark, version, key_id, encoded = keys.seal("whsec_x", OWNER, FIELD).split(":")
    assert (mark, version, key_id) == ("sealed", "1", keys.key_ids[0])
    raw = base64.b64decode(encoded)
    assert raw[:12] == bytes(12)
    assert AESGCM(KEY).decrypt(raw[:12], raw[12:], b"webhook-console/ep_crm/signing secret") == b"whsec_x"


def test_no_two_sealed_texts_are_alike() -> None:
    keys = Keyring([KEY])
    assert len({keys.seal("whsec_x", OWNER, FIELD) for _ in range(50)}) == 50


def test_without_a_key_nothing_is_sealed() -> None:
    assert NO_KEYS.seal("whsec_x", OWNER, FIELD) == "whsec_x"
    assert NO_KEYS.open("whsec_x", OWNER, FIELD) == "whsec_x"
    assert not NO_KEYS


def test_the_first_key_seals_and_all_open() -> None:
    old, both = Keyring([OTHER]), Keyring([KEY, OTHER])
    sealed = old.seal("whsec_x", OWNER, FIELD)
    assert both.open(sealed, OWNER, FIELD) == "whsec_x"
    assert key_id_of(both.seal("whsec_x", OWNER, FIELD)) == Keyring([KEY]).key_ids[0]
    assert both.seal(sealed, OWNER, FIELD) == sealed, "sealed once is enough"


@pytest.mark.parametrize(
    ("owner", "field"), [("ep_erp", FIELD), (OWNER, "authorization"), (DEFAULTS, FIELD), (OWNER, FIELD + "/")]
)
def test_what_is_moved_does_not_open(owner: str, field: str) -> None:
    keys = Keyring([KEY])
    with pytest.raises(SealedError, match="sealed for something else"):
        keys.open(keys.seal("whsec_x", OWNER, FIELD), owner, field)


def test_what_the_defaults_hold_opens_for_every_endpoint() -> None:
    keys = Keyring([KEY])
    assert keys.open(keys.seal("Bearer x", DEFAULTS, "authorization"), OWNER, "authorization") == "Bearer x"


def test_a_key_that_is_not_at_hand_is_named() -> None:
    sealed = Keyring([KEY]).seal("whsec_x", OWNER, FIELD)
    with pytest.raises(SealedError, match=f"sealed with key {Keyring([KEY]).key_ids[0]}, which is not at hand"):
        Keyring([OTHER]).open(sealed, OWNER, FIELD)


def test_a_changed_text_does_not_open() -> None:
    keys = Keyring([KEY])
    sealed = keys.seal("whsec_x", OWNER, FIELD)
    head, encoded = sealed.rsplit(":", 1)
    raw = bytearray(base64.b64decode(encoded))
    for at in range(len(raw)):
        raw[at] ^= 1
        with pytest.raises(SealedError):
            keys.open(f"{head}:{base64.b64encode(raw).decode()}", OWNER, FIELD)
        raw[at] ^= 1
    for broken in ("sealed:", "sealed:2:" + sealed[9:], f"{head}:", f"{head}:AAAA", sealed + "!"):
        with pytest.raises(SealedError):
            keys.open(broken, OWNER, FIELD)


def test_keys_are_read_from_text() -> None:
    text = f" {encode_key(KEY)},{encode_key(OTHER)}\n"
    assert Keyring.parse(text, "here").key_ids == Keyring([KEY, OTHER]).key_ids


@pytest.mark.parametrize("text", ["", " , ", "geheimgeheim", encode_key(KEY)[:-4], encode_key(KEY + KEY), "!" * 44])
def test_what_is_no_key_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^here: ") as refused:
        Keyring.parse(text, "here")
    assert not text.strip(" ,") or text not in str(refused.value)


def test_a_keyring_prints_no_key() -> None:
    assert encode_key(KEY) not in repr(Keyring([KEY]))
    assert repr(KEY) not in repr(Keyring([KEY]))
