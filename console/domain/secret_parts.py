"""Which parts of an endpoint are secrets: one place for sealing, opening and counting them."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.endpoint import Endpoint, EndpointSpec
from console.domain.errors import SealedError
from console.domain.policy import DeliveryPolicy
from console.domain.redaction import is_sensitive
from console.domain.sealing import DEFAULTS, Keyring, is_sealed
from console.domain.signing import Secret, with_public_key

if TYPE_CHECKING:
    from console.domain.source import SourceSpec

Change = Callable[[str, str], str]
"""From a field's name and its text to the text that takes its place."""

OwnedChange = Callable[[str, str, str], str]
"""The same, with the owner before them: an endpoint's id, or `sealing.DEFAULTS`."""

SECRET_PARTS = ("authorization", "proxy", "headers")
"""The parts of a policy that may hold secrets."""

_SIGNING = "signing secret"


def change_policy(policy: DeliveryPolicy, change: Change) -> DeliveryPolicy:
    """A policy with each of its secrets changed; the same one when none was.

    Secrets are the Authorization header, a proxy that holds a password, and headers whose names say so.
    """
    authorization, proxy = policy.authorization, policy.proxy
    if authorization is not None:
        authorization = change("authorization", authorization)
    if proxy is not None and ("@" in proxy or is_sealed(proxy)):
        proxy = change("proxy", proxy)
    headers = tuple(
        (name, change(f"header {name.lower()}", value) if value and (is_sensitive(name) or is_sealed(value)) else value)
        for name, value in policy.headers
    )
    if (authorization, proxy, headers) == (policy.authorization, policy.proxy, policy.headers):
        return policy
    return replace(policy, authorization=authorization, proxy=proxy, headers=headers)


def change_secrets(secrets: tuple[Secret, ...], change: Change) -> tuple[Secret, ...]:
    """Signing secrets, each changed."""
    return tuple(replace(secret, text=change(_SIGNING, secret.text)) for secret in secrets)


def sealed_spec(spec: EndpointSpec, owner: str, keys: Keyring) -> EndpointSpec:
    """What is kept of a spec: its secrets sealed when there is a key. `owner`: the endpoint's id."""
    secrets = tuple(with_public_key(secret) for secret in spec.secrets)

    def seal(field: str, text: str) -> str:
        return keys.seal(text, owner, field)

    return replace(spec, secrets=change_secrets(secrets, seal), policy=change_policy(spec.policy, seal))


def sealed_source_spec(spec: "SourceSpec", owner: str, keys: Keyring) -> "SourceSpec":
    """As `sealed_spec`, for a source. `owner`: its id."""
    return replace(spec, secrets=change_secrets(spec.secrets, lambda field, text: keys.seal(text, owner, field)))


def sealed_defaults(policy: DeliveryPolicy, keys: Keyring) -> DeliveryPolicy:
    """As `sealed_spec`, for the policy of all endpoints."""
    return change_policy(policy, lambda field, text: keys.seal(text, DEFAULTS, field))


def opened_endpoint(endpoint: Endpoint, keys: Keyring) -> Endpoint:
    """An endpoint that can be sent to: nothing in it is sealed.

    Raises:
        SealedError: names the field, and the key that is missing.
    """

    def opened(field: str, text: str) -> str:
        return keys.open(text, endpoint.id, field)

    policy = change_policy(endpoint.policy, opened)
    if policy is endpoint.policy and not any(is_sealed(secret.text) for secret in endpoint.secrets):
        return endpoint
    return replace(endpoint, secrets=change_secrets(endpoint.secrets, opened), policy=policy)


def why_sealed(endpoint: Endpoint, keys: Keyring) -> str | None:
    """Why an endpoint cannot be sent to with these keys; None when it can."""

    def look(field: str, text: str) -> str:
        keys.open(text, endpoint.id, field)
        return text

    try:
        for secret in endpoint.secrets:
            look(_SIGNING, secret.text)
        change_policy(endpoint.policy, look)
    except SealedError as error:
        return str(error)
    return None


def each_text(endpoint: Endpoint, *, own: bool) -> list[str]:
    """The secrets of an endpoint as they are kept.

    Args:
        own: without those that it takes over from the defaults.
    """
    found = [secret.text for secret in endpoint.secrets]

    def note(field: str, text: str) -> str:
        part = "headers" if field.startswith("header ") else field
        if not own or part in endpoint.own:
            found.append(text)
        return text

    change_policy(endpoint.policy, note)
    return found
