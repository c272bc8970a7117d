"""Look up what a signature is judged with: the secrets that may have made it, and what was sent."""

from contextlib import suppress
from dataclasses import dataclass

from console.domain.endpoint import Endpoint
from console.domain.errors import SealedError, UnknownReferenceError
from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId
from console.domain.outcome import Headers
from console.domain.sealing import Keyring
from console.domain.secret_parts import opened_endpoint
from console.domain.signature_diagnosis import diagnose
from console.domain.signature_finding import Diagnosis, KnownSecret, Received, fingerprint
from console.domain.signature_message import event_id_in, read_message
from console.domain.signature_search import keys_of, signer_of
from console.domain.why import Times
from console.store.protocol import Store

_DELIVERIES_LOOKED_AT = 100
KEY_FROM = "set WEBHOOK_CONSOLE_KEY or WEBHOOK_CONSOLE_KEY_FILE, or give --key-file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the store knows of a message. `sealed`: endpoints whose secrets no key at hand opens."""

    secrets: tuple[KnownSecret, ...]
    payload: bytes | None
    sealed: tuple[str, ...] = ()


def gather(store: Store, received: Received, endpoint: str | None, keys: Keyring) -> Evidence:
    """What is known of a message that an endpoint got; without an endpoint, any that was owed the event.

    Raises:
        UnknownReferenceError: there is no such endpoint.
        SealedError: the endpoint that was named is sealed with a key that is not at hand.
    """
    event_id = event_id_in(received.headers)
    payload = None
    if event_id is not None:
        with suppress(UnknownReferenceError):
            payload = store.event(event_id).payload
    endpoints = store.endpoints()
    if endpoint is not None:
        named = store.find_endpoint(endpoint)
        try:
            opened_endpoint(named, keys)
        except SealedError as error:
            raise SealedError(f"{named.name}: {error}: {KEY_FROM}") from None
        own = {named.id}
    else:
        owed = (
            () if event_id is None else store.deliveries(DeliveryFilter(event_id=event_id), limit=_DELIVERIES_LOOKED_AT)
        )
        own = {delivery.endpoint_id for delivery in owed} or {e.id for e in endpoints}
    secrets, sealed = _secrets(endpoints, own, keys)
    return Evidence(secrets=secrets, payload=payload, sealed=sealed)


def _secrets(
    endpoints: list[Endpoint], own: set[EndpointId], keys: Keyring
) -> tuple[tuple[KnownSecret, ...], tuple[str, ...]]:
    found: list[KnownSecret] = []
    sealed = []
    for endpoint in sorted(endpoints, key=lambda e: e.id not in own):
        try:
            opened = opened_endpoint(endpoint, keys)
        except SealedError:
            sealed.append(endpoint.name)
            continue
        found += [
            KnownSecret(text=s.text, owner=endpoint.name, own=endpoint.id in own, until_ms=s.until_ms)
            for s in opened.secrets
        ]
    return tuple(found), tuple(sealed)


def judge_signature(
    store: Store,
    received: Received,
    *,
    endpoint: str | None,
    keys: Keyring,
    times: Times,
    given: str | None = None,
    received_at_ms: int | None = None,
) -> tuple[Diagnosis, Evidence]:
    """`gather` and `diagnose` in one go, so that no secret leaves the thread that read it."""
    evidence = gather(store, received, endpoint, keys)
    diagnosis = diagnose(
        received,
        evidence.secrets,
        times=times,
        given=given,
        payload=evidence.payload,
        received_at_ms=received_at_ms,
    )
    return diagnosis, Evidence(secrets=(), payload=evidence.payload, sealed=evidence.sealed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """One signature of a request: `v1` or `v1a`, and by which secret; None: by none that is kept or can be opened."""

    label: str
    text: str
    secret: str | None
    """Its fingerprint."""
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFacts:
    """How a request was signed. `sealed`: the endpoint's secrets cannot be opened here."""

    event_id: str
    timestamp_s: int | None
    signatures: tuple[SignedBy, ...]
    sealed: bool


def who_signed(
    endpoint: Endpoint | None, headers: Headers, body: bytes, keys: Keyring, now_ms: int
) -> SignatureFacts | None:
    """By which secrets a request was signed; None when its headers say of no signature."""
    message = read_message(headers)
    if message.id is None or message.timestamp is None or not message.signatures:
        return None
    secrets, sealed = ((), ()) if endpoint is None else _secrets([endpoint], {endpoint.id}, keys)
    known = keys_of(secrets, now_ms)
    signed = []
    for signature in message.signatures:
        key = signer_of(signature, known, message.id, message.timestamp, body)
        signed.append(
            SignedBy(
                label=signature.label or "?",
                text=signature.text,
                secret=None if key is None else fingerprint(key.secret.text),
                until_ms=None if key is None else key.secret.until_ms,
            )
        )
    at = message.timestamp
    return SignatureFacts(
        event_id=message.id,
        timestamp_s=int(at) if at.isascii() and at.isdigit() and len(at) < 15 else None,
        signatures=tuple(signed),
        sealed=bool(sealed),
    )
