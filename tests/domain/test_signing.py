import base64
import json
import time
from itertools import combinations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from console.domain.errors import InvalidInputError
from console.domain.ids import check_event_id
from console.domain.signing import (
    MAX_SECRETS,
    Secret,
    active_secrets,
    check_secret,
    check_secrets,
    make_key,
    make_secret,
    public_key_of,
    rotated,
    sign,
    with_public_key,
)

ID, TIMESTAMP_S, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
KEY = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
KEY_SIGNATURE = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

SECRETS = st.binary(min_size=24, max_size=64).map(make_secret)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=40)


def test_the_vector_of_the_specification() -> None:
    assert sign([SECRET], ID, TIMESTAMP_S, BODY) == SIGNATURE


def test_the_ed25519_vector_of_the_specification() -> None:
    assert sign([KEY], ID, TIMESTAMP_S, BODY) == KEY_SIGNATURE


def test_the_seed_alone_signs_as_the_whole_key_does() -> None:
    seed = base64.b64decode(KEY.removeprefix("whsk_"))[:32]
    assert sign(["whsk_" + base64.b64encode(seed).decode()], ID, TIMESTAMP_S, BODY) == KEY_SIGNATURE


def test_while_a_secret_rotates_each_signs_in_order() -> None:
    assert sign([SECRET, KEY], ID, TIMESTAMP_S, BODY) == f"{SIGNATURE} {KEY_SIGNATURE}"


@given(
    IDS,
    st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4),
    st.lists(SECRETS, min_size=1, max_size=3),
)
def test_a_receiver_with_any_one_secret_verifies_with_the_public_package(
    event_id: str, payload: dict[str, str], secrets: list[str]
) -> None:
    body, now_s = json.dumps(payload, ensure_ascii=False).encode(), int(time.time())
    headers = {
        "webhook-id": check_event_id(event_id),
        "webhook-timestamp": str(now_s),
        "webhook-signature": sign(secrets, event_id, now_s, body),
    }
    for secret in secrets:
        assert Webhook(secret).verify(body, headers) == payload
    with pytest.raises(WebhookVerificationError):
        Webhook(make_secret(b"a secret that signed nothing")).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets[0]).verify(body + b" ", headers)


def test_every_part_is_signed() -> None:
    signatures = [
        sign([SECRET], ID, TIMESTAMP_S, BODY),
        sign([SECRET], ID + "x", TIMESTAMP_S, BODY),
        sign([SECRET], ID, TIMESTAMP_S + 1, BODY),
        sign([SECRET], ID, TIMESTAMP_S, BODY + b"\n"),
        sign([make_secret(bytes(32))], ID, TIMESTAMP_S, BODY),
    ]
    assert all(a != b for a, b in combinations(signatures, 2))


def test_the_body_is_signed_byte_for_byte() -> None:
    assert sign([SECRET], ID, TIMESTAMP_S, b"\xff\x00\r\n").startswith("v1,")


@given(SECRETS)
def test_made_secrets_pass_the_check(secret: str) -> None:
    assert check_secret(secret) == secret


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsk_",
        "geheimgeheimgeheim",
        "whsec_!geheim!",
        "whsec_" + "geheim" * 3,
        "whsk_" + "geheim" * 4,
        make_secret(b"geheim" * 3),
        make_secret(b"geheim" * 11),
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_gehéim",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
        "\udcff",
    ],
)
def test_other_secrets_are_refused_and_never_shown(secret: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_secret(secret)
    assert str(refused.value).startswith("secret: ")
    shown = secret.removeprefix("whsec_").removeprefix("whsk_").strip()
    assert not shown or shown not in str(refused.value)


def verify_by(public_key: str, signature: str, event_id: str, timestamp_s: int, body: bytes) -> None:
    """As a receiver does. The public package knows v1 only."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{event_id}.{timestamp_s}.".encode() + body
    key.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)


def test_the_public_key_is_what_the_signing_key_holds() -> None:
    whole = base64.b64decode(KEY.removeprefix("whsk_"))
    assert base64.b64decode(public_key_of(KEY).removeprefix("whpk_")) == whole[32:]
    assert make_key(whole[:32]) == KEY
    with pytest.raises(InvalidInputError):
        public_key_of(SECRET)


@given(st.binary(min_size=32, max_size=32), IDS, st.binary(max_size=100))
def test_what_a_made_key_signs_is_verified_by_its_public_key(seed: bytes, event_id: str, body: bytes) -> None:
    key = make_key(seed)
    assert check_secret(key) == key
    signature = sign([key], event_id, TIMESTAMP_S, body)
    verify_by(public_key_of(key), signature, event_id, TIMESTAMP_S, body)
    with pytest.raises(InvalidSignature):
        verify_by(public_key_of(key), signature, event_id, TIMESTAMP_S, body + b" ")


def test_only_a_key_that_signs_alone_has_a_public_key() -> None:
    assert with_public_key(Secret(text=SECRET)) == Secret(text=SECRET)
    assert with_public_key(Secret(text=KEY, until_ms=5)) == Secret(text=KEY, until_ms=5, public_key=public_key_of(KEY))
    sealed = Secret(text="sealed:1:00000000:AAAA", public_key="whpk_x")
    assert with_public_key(sealed) is sealed


def test_a_secret_signs_until_its_end_and_not_at_it() -> None:
    secrets = (Secret(text=SECRET), Secret(text=KEY, until_ms=1000))
    assert active_secrets(secrets, 999) == secrets
    assert active_secrets(secrets, 1000) == secrets[:1]


def test_rotating_ends_the_old_and_never_later_than_before() -> None:
    old, ending, ended = Secret(text="a"), Secret(text="b", until_ms=1500), Secret(text="c", until_ms=1000)
    new = Secret(text="new")
    assert rotated((old, ending, ended), new, 2000, 1000) == (new, Secret(text="a", until_ms=2000), ending)
    assert rotated((old, ending), new, 1200, 1000) == (
        new, Secret(text="a", until_ms=1200), Secret(text="b", until_ms=1200)
    )  # fmt: skip
    assert rotated((old, ending), new, 1000, 1000) == (new,)
    assert rotated((new, old), new, 2000, 1000) == (new, Secret(text="a", until_ms=2000))


@pytest.mark.parametrize(
    "secrets",
    [(), (Secret(text=SECRET, until_ms=5),), (Secret(text="x"),), tuple([Secret(text=SECRET)] * (MAX_SECRETS + 1))],
)
def test_one_secret_without_an_end_is_needed_and_ten_are_enough(secrets: tuple[Secret, ...]) -> None:
    with pytest.raises(InvalidInputError):
        check_secrets(secrets)


def test_a_secret_prints_nothing_of_itself() -> None:
    assert SECRET not in repr(Secret(text=SECRET))
