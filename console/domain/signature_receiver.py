"""What a receiver does wrong: with the secret that it has, or in what it computes. Pure."""

from collections.abc import Sequence

from console.domain.signature_finding import Finding, KnownSecret, Mistake, fingerprint
from console.domain.signature_message import Message
from console.domain.signature_search import Found, keys_of, search, signatures_in
from console.domain.signature_steps import of_owner, of_steps
from console.domain.signature_variants import decoded_key
from console.domain.signing import KEY_PREFIX, PUBLIC_PREFIX, public_bytes_of
from console.domain.why import Times


def about_given(given: str, secrets: Sequence[KnownSecret], times: Times) -> list[Finding]:
    """Whose secret the receiver has."""
    ours = _identity(given)
    if ours is None:
        return [
            Finding(
                mistake=Mistake.SECRET_NOT_DECODED,
                severity="wrong",
                words="The receiver's secret is not base64 after its prefix.",
                fix="Copy it whole, from endpoints reveal-secret.",
            )
        ]
    same = [secret for secret in secrets if _identity(secret.text) == ours]
    if any(secret.own and not secret.ended(times.now_ms) for secret in same):
        return []
    if not same:
        return [
            Finding(
                mistake=Mistake.UNKNOWN_SECRET,
                severity="wrong",
                words=f"The receiver's secret ({fingerprint(given)}) is none of the endpoint's.",
                fix="Give the receiver the endpoint's present secret (endpoints reveal-secret).",
            )
        ]
    own_first = sorted(same, key=lambda secret: not secret.own)
    secret = own_first[0]
    if secret.own and secret.until_ms is not None:
        words = f"The receiver has a secret that ended at {times.at(secret.until_ms)} ({times.ago(secret.until_ms)})."
        mistake = Mistake.ENDED_SECRET
    else:
        words, mistake = f"The receiver has the secret of another endpoint, {secret.owner}.", Mistake.OTHER_SECRET
    fix = "Give it the endpoint's present secret (endpoints reveal-secret)."
    return [Finding(mistake=mistake, severity="wrong", words=words, fix=fix)]


def _identity(secret: str) -> bytes | None:
    """What is the same in each way of writing a secret, and in both halves of a pair of keys."""
    text = secret.strip()
    if text.startswith((KEY_PREFIX, PUBLIC_PREFIX)):
        return public_bytes_of(text)
    return decoded_key(text)


def about_computed(
    computed: str,
    message: Message,
    found: Found | None,
    body: bytes,
    payload: bytes | None,
    known: Sequence[KnownSecret],
    times: Times,
) -> list[Finding]:
    signatures, _ = signatures_in(computed)
    assert message.id is not None
    assert message.timestamp is not None
    keys = keys_of(known, times.now_ms)
    made = (
        search(signatures, keys, message.id, message.timestamp, body, payload, hmac_only=True) if signatures else None
    )
    if made is None:
        return [
            Finding(
                mistake=Mistake.UNKNOWN,
                severity="wrong",
                words="What the receiver computed comes from no known mistake and no known secret.",
                fix="Log what its code signs (id.timestamp.body), and the length of its key: that of the decoded "
                "secret, 24 to 64 bytes.",
            )
        ]
    findings = of_steps(made, body, "What the receiver computed comes out if ")
    if message.signatures and all(signature.label == "v1a" for signature in message.signatures):
        findings.append(
            Finding(
                mistake=Mistake.VERSION,
                severity="wrong",
                words="The receiver computes an HMAC (v1), but the message is signed with ed25519 (v1a).",
                fix="Verify v1a with the endpoint's public key (whpk_…).",
            )
        )
    findings += [f for f in of_owner(made.key, times) if found is None or made.key.secret != found.key.secret]
    return findings or [_of_comparison(message)]


def _of_comparison(message: Message) -> Finding:
    several = len(message.signatures) > 1
    whole = (
        f"the header holds {len(message.signatures)} signatures, separated by blanks, and one that is equal is enough"
        if several
        else "the header's v1, is no part of the signature"
    )
    return Finding(
        mistake=Mistake.COMPARISON,
        severity="wrong",
        words=f"The receiver computes the right signature, and must compare it wrongly: {whole}.",
        fix="Split webhook-signature at blanks, take v1, off each, and compare with each in constant time.",
    )
