"""What of an endpoint is secret, and how it is sealed, opened and counted."""

from dataclasses import replace
from typing import Any

import pytest

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import InvalidInputError, SealedError
from console.domain.ids import EndpointId
from console.domain.policy import DeliveryPolicy, check_policy
from console.domain.sealing import NO_KEYS, Keyring, is_sealed
from console.domain.secret_parts import each_text, opened_endpoint, sealed_defaults, sealed_spec, why_sealed
from console.domain.signing import Secret, make_key, public_key_of
from tests.factories import NOW_MS, SECRET, make_spec

KEYS = Keyring([bytes(range(32))])
ID = "ep_crm"
POLICY: dict[str, Any] = {
    "authorization": "Bearer t0ken",
    "proxy": "http://ada:pass@proxy.example:3128",
    "headers": (("X-Team", "ops"), ("X-Api-Key", "k3y"), ("Cookie", "")),
}


def endpoint_with(policy: DeliveryPolicy, *secrets: Secret, own: frozenset[str] = frozenset()) -> Endpoint:
    return Endpoint(
        seq=1, id=EndpointId(ID), name="crm", url="http://127.0.0.1:9/", types=("*",), secrets=secrets, policy=policy,
        own=own, state=EndpointState.ACTIVE, state_reason=None, state_since_ms=NOW_MS, created_at_ms=NOW_MS, version=1,
    )  # fmt: skip


def test_every_secret_is_sealed_and_nothing_else() -> None:
    spec = make_spec(policy=POLICY)
    sealed = sealed_spec(spec, ID, KEYS)
    policy = sealed.policy
    assert is_sealed(sealed.secrets[0].text)
    assert policy.authorization is not None
    assert is_sealed(policy.authorization)
    assert policy.proxy is not None
    assert is_sealed(policy.proxy)
    assert [(name, is_sealed(value)) for name, value in policy.headers] == [
        ("X-Team", False), ("X-Api-Key", True), ("Cookie", False)
    ]  # fmt: skip
    assert sealed.check() is sealed, "what is sealed is as right as what was sealed"
    assert sealed_spec(sealed, ID, KEYS) == sealed
    opened = opened_endpoint(endpoint_with(policy, *sealed.secrets), KEYS)
    assert (opened.policy, opened.secrets) == (spec.policy, spec.secrets)


def test_without_a_key_a_spec_stays_as_it_is() -> None:
    spec = make_spec(policy=POLICY)
    assert sealed_spec(spec, ID, NO_KEYS) == spec


def test_an_endpoint_with_nothing_sealed_is_itself() -> None:
    endpoint = endpoint_with(DeliveryPolicy(**POLICY), Secret(text=SECRET))
    assert opened_endpoint(endpoint, NO_KEYS) is endpoint


def test_a_proxy_without_a_password_is_no_secret() -> None:
    policy = sealed_defaults(DeliveryPolicy(proxy="http://proxy.example:3128"), KEYS)
    assert policy.proxy == "http://proxy.example:3128"


def test_a_key_that_signs_keeps_its_public_key_beside_it() -> None:
    key = make_key(bytes(range(32)))
    (secret,) = sealed_spec(make_spec(secrets=(key,)), ID, KEYS).secrets
    assert is_sealed(secret.text)
    assert secret.public_key == public_key_of(key)


@pytest.mark.parametrize("part", ["authorization", "proxy", "headers"])
def test_one_part_that_does_not_open_is_enough(part: str) -> None:
    sealed = sealed_defaults(DeliveryPolicy(**{part: POLICY[part]}), KEYS)
    endpoint = endpoint_with(sealed, Secret(text=SECRET))
    with pytest.raises(SealedError):
        opened_endpoint(endpoint, NO_KEYS)
    assert why_sealed(endpoint, KEYS) is None
    why = why_sealed(endpoint, NO_KEYS)
    assert why is not None
    assert KEYS.key_ids[0] in why


def test_a_header_that_says_it_is_sealed_is_never_a_value() -> None:
    policy = check_policy(DeliveryPolicy(headers=(("X-Team", "sealed:1:whatever"),)))
    assert why_sealed(endpoint_with(policy, Secret(text=SECRET)), KEYS) is not None


def test_a_long_value_may_be_sealed_and_a_longer_one_is_refused() -> None:
    policy = DeliveryPolicy(headers=(("X-Token", "t" * 4096),))
    assert check_policy(sealed_defaults(policy, KEYS))
    with pytest.raises(InvalidInputError):
        check_policy(replace(policy, headers=(("X-Token", "t" * 4097),)))


def test_secrets_are_counted_where_they_are_said() -> None:
    endpoint = endpoint_with(DeliveryPolicy(**POLICY), Secret(text=SECRET), own=frozenset({"headers"}))
    assert each_text(endpoint, own=True) == [SECRET, "k3y"]
    assert each_text(endpoint, own=False) == [SECRET, "Bearer t0ken", POLICY["proxy"], "k3y"]


def test_nothing_secret_is_printed() -> None:
    spec = make_spec(policy=POLICY)
    for hidden in (SECRET, "t0ken", "pass@", "k3y"):
        assert hidden not in repr(spec)
