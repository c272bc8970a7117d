"""Finds the mistakes under which a signature comes out right: none, one, or two at once. Pure."""

import base64
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from console.domain.signature_finding import KnownSecret
from console.domain.signature_variants import body_variants, content_variants, key_variants, signature_forms
from console.domain.signing import KEY_PREFIX, PUBLIC_PREFIX, public_bytes_of

HASHED_AT_MOST_BYTES = 192 * 1024 * 1024
"""What one search may hash: a third of a second."""

VERIFIED_AT_MOST = 400
"""Ed25519 signatures that one search verifies: 80 ms."""

_MOST_SIGNATURES = 32
_LONGEST = 512
_LABELLED = re.compile(r"(v\d+[a-z]?)[,=:]\s*(\S+)")
_HMAC_BYTES, _ED25519_BYTES = 32, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature as it stands in a header: `v1`, or None when it has no label, and the text after it."""

    label: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a program may take for the key: of which secret, and by which mistake; None: by none."""

    data: bytes
    secret: KnownSecret
    how: str | None
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Under which mistakes a signature is right. `body`: its name (None: the event's payload) and what was signed."""

    key: Key
    form: str | None = None
    wrong_label: str | None = None
    content: str | None = None
    body: tuple[str | None, bytes] | None = None


def signatures_in(header: str) -> tuple[tuple[Signature, ...], str | None]:
    """The signatures in a header, and what is wrong with its form."""
    parts = header.split()[:_MOST_SIGNATURES]
    plain = [tuple(part.split(",", 1)) for part in parts]
    if parts and all(len(part) == 2 and part[0] in ("v1", "v1a") and "," not in part[1] for part in plain):
        return tuple(Signature(label=part[0], text=part[1][:_LONGEST]) for part in plain), None
    if not parts:
        return (), None
    found = [Signature(label=label, text=text[:_LONGEST]) for label, text in _labelled(header)]
    if len(parts) > 1 and len(found) == 1:
        joined = Signature(label=found[0].label, text=header.split(",", 1)[-1].strip().replace(" ", "+")[:_LONGEST])
        return (joined,), "webhook-signature has blanks where + was: something decoded it as part of a URL."
    if len(found) > 1:
        return tuple(found), "The signatures in webhook-signature are not separated by blanks: a proxy joined them."
    if found:
        return tuple(found), "webhook-signature is not of the form v1,BASE64."
    bare = [part.partition("sha256=")[2] or part for part in parts]
    signatures = tuple(Signature(label=None, text=text[:_LONGEST]) for text in bare)
    return signatures, "The signatures have no version before them: each begins with v1, or v1a,."


def _labelled(header: str) -> Iterator[tuple[str, str]]:
    """Labels with what follows them, however they are joined."""
    for part in re.split(r"[\s,;]+(?=v\d+[a-z]?[,=:])", header.strip())[:_MOST_SIGNATURES]:
        match = _LABELLED.fullmatch(part.strip().rstrip(",;"))
        if match is not None:
            yield match[1], match[2]
        elif (beginning := _LABELLED.match(part)) is not None:
            yield beginning[1], beginning[2]


def keys_of(secrets: Sequence[KnownSecret], now_ms: int) -> list[Key]:
    """Every key that these secrets may be taken for, the likeliest first. Of other endpoints only the right one."""
    keys = []
    for secret in secrets:
        beside = 0 if secret.own and not secret.ended(now_ms) else 1
        for how, data in key_variants(secret.text):
            if how is None or secret.own:
                keys.append(Key(data=data, secret=secret, how=how, cost=beside + (how is not None)))
    return sorted(keys, key=lambda key: key.cost)


class _Targets:
    """The signatures to be found, by their bytes."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        self.hmacs: dict[bytes, tuple[str | None, str | None]] = {}
        self.ed25519: list[tuple[bytes, str | None, str | None]] = []
        self._lowered = {s.text.lower(): s.label for s in signatures if s.text == s.text.lower() and len(s.text) == 44}
        for signature in signatures:
            for form, data in signature_forms(signature.text):
                if len(data) == _HMAC_BYTES:
                    self.hmacs.setdefault(data, (form, _mislabelled(signature.label, "v1")))
                elif len(data) == _ED25519_BYTES:
                    self.ed25519.append((data, form, _mislabelled(signature.label, "v1a")))

    def find(self, digest: bytes) -> tuple[str | None, str | None] | None:
        known = self.hmacs.get(digest)
        if known is None and self._lowered:
            label = self._lowered.get(base64.b64encode(digest).decode().lower(), "")
            if label != "":
                return "its letters were made small", _mislabelled(label, "v1")
        return known


def _mislabelled(label: str | None, right: str) -> str | None:
    if label is None or label == right:
        return None
    return f"It is a {right} signature that is marked as {label}."


def search(
    signatures: Sequence[Signature],
    keys: Sequence[Key],
    event_id: str,
    timestamp: str,
    body: bytes,
    payload: bytes | None = None,
    *,
    hmac_only: bool = False,
) -> Found | None:
    """The fewest mistakes under which one of the signatures is right; None when there are none such.

    Args:
        payload: what the body was when it was sent, when that is known.
    """
    targets = _Targets(signatures)
    bodies = _bodies(body, payload)
    budget = HASHED_AT_MOST_BYTES
    for total in range(3):
        for cost, content, changed, text in _cases(event_id, timestamp, bodies, total):
            for key in keys:
                if key.cost + cost != total:
                    continue
                budget -= len(text) + 256
                if budget < 0:
                    return None
                form = targets.find(hmac.digest(key.data, text, "sha256"))
                if form is not None:
                    return Found(key=key, form=form[0], wrong_label=form[1], content=content, body=changed)
        if total < 2 and not hmac_only and targets.ed25519:
            cases = [case for case in _cases(event_id, timestamp, bodies, total) if case[0] == total]
            found = _search_ed25519(targets, keys, cases)
            if found is not None:
                return found
    return None


_Case = tuple[int, str | None, tuple[str | None, bytes] | None, bytes]
"""How many mistakes, that of what is signed, that of the body, and the text that is signed then."""


_Bodies = dict[bytes, tuple[str | None, bytes] | None]


def _bodies(body: bytes, payload: bytes | None) -> _Bodies:
    """Each body once, with the mistake that it stands for."""
    bodies: _Bodies = {body: None}
    if payload is not None:
        bodies.setdefault(payload, (None, payload))
    for name, changed in body_variants(body):
        bodies.setdefault(changed, (name, changed))
    return bodies


def _cases(event_id: str, timestamp: str, bodies: _Bodies, most: int) -> Iterator[_Case]:
    """What may have been signed, with at most so many mistakes."""
    for data, changed in bodies.items():
        if changed is not None and most == 0:
            return
        for content, text in content_variants(event_id, timestamp, data):
            cost = (content is not None) + (changed is not None)
            if cost <= most:
                yield cost, content, changed, text


def signer_of(signature: Signature, keys: Sequence[Key], event_id: str, timestamp: str, body: bytes) -> Key | None:
    """Which of the keys made a signature, with no mistake at all; None: none of them."""
    targets = _Targets([signature])
    right = [(0, None, None, next(content_variants(event_id, timestamp, body))[1])]
    for key in keys:
        if key.how is None and hmac.digest(key.data, right[0][3], "sha256") in targets.hmacs:
            return key
    found = _search_ed25519(targets, keys, right) if targets.ed25519 else None
    return None if found is None else found.key


def _search_ed25519(targets: _Targets, keys: Sequence[Key], cases: Sequence[_Case]) -> Found | None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    tried = 0
    for key in keys:
        if key.how is not None or not key.secret.text.strip().startswith((KEY_PREFIX, PUBLIC_PREFIX)):
            continue
        public = public_bytes_of(key.secret.text.strip())
        if public is None:
            continue
        verifier = Ed25519PublicKey.from_public_bytes(public)
        for data, form, wrong_label in targets.ed25519:
            for _, content, changed, text in cases:
                tried += 1
                if tried > VERIFIED_AT_MOST:
                    return None
                try:
                    verifier.verify(data, text)
                except InvalidSignature:
                    continue
                return Found(key=key, form=form, wrong_label=wrong_label, content=content, body=changed)
    return None
