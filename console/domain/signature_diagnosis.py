"""What is wrong with a signature that a receiver refuses, by trying what people get wrong. Pure.

Given are the headers and the body that a receiver got, the secrets that may have signed them, and perhaps what the
receiver's own code computed. Each mistake is tried, alone and with one more; the one under which a signature comes out
right is the one that was made. No text here ever holds a secret or a value of a payload.
"""

from collections.abc import Sequence

from console.domain.body_difference import how_it_differs
from console.domain.signature_finding import Diagnosis, Finding, KnownSecret, Mistake, Received, fingerprint
from console.domain.signature_message import Message, about_time, read_message
from console.domain.signature_receiver import about_computed, about_given
from console.domain.signature_search import Found, keys_of, search
from console.domain.signature_steps import of_owner, of_steps
from console.domain.signing import KEY_PREFIX, PUBLIC_PREFIX
from console.domain.why import Times


def diagnose(
    received: Received,
    secrets: Sequence[KnownSecret],
    *,
    times: Times,
    given: str | None = None,
    payload: bytes | None = None,
    received_at_ms: int | None = None,
) -> Diagnosis:
    """Say whether a message is right as it is, and which mistake makes it, or what the receiver computed, wrong.

    Args:
        secrets: of the endpoint, and of others to find one that was mixed up; opened.
        times: how moments are written, and what the time is now.
        given: the secret that the receiver has, as it has it.
        payload: what was sent as the event with this id.
        received_at_ms: when the receiver looked at it, on its clock; None: not known, and an old message is no mistake.
    """
    message = read_message(received.headers)
    findings = list(message.findings)
    known = [*([] if given is None else [KnownSecret(text=given, owner="the receiver's")]), *secrets]
    found = None
    if message.id is not None and message.timestamp is not None and message.signatures:
        found = search(
            message.signatures, keys_of(known, times.now_ms), message.id, message.timestamp, received.body, payload
        )
        findings += _about_message(found, message, received.body, payload, known, times)
    findings += about_time(message, times, received_at_ms)
    if given is not None and secrets:
        findings += about_given(given, secrets, times)
    if received.computed is not None and message.id is not None and message.timestamp is not None:
        findings += about_computed(received.computed, message, found, received.body, payload, known, times)
    wrong = any(finding.severity == "wrong" for finding in findings)
    if not wrong and found is not None and received.computed is None:
        findings.append(_still_refused(given))
    signed_with = None if found is None else fingerprint(found.key.secret.text)
    return Diagnosis(ok=not wrong and found is not None, findings=tuple(findings), signed_with=signed_with)


def _still_refused(given: str | None) -> Finding:
    more = "" if given is not None else "the secret that it has (--secret), and "
    return Finding(
        mistake=Mistake.NONE,
        severity="note",
        words=f"If the receiver refuses it all the same, give {more}the signature that it computes (--computed).",
    )


def _about_message(
    found: Found | None,
    message: Message,
    body: bytes,
    payload: bytes | None,
    known: Sequence[KnownSecret],
    times: Times,
) -> list[Finding]:
    if found is None:
        return _unexplained(message, body, payload, known)
    findings = of_steps(found, body, "It was signed right, but not as it is here: ")
    findings += of_owner(found.key, times)
    if not findings:
        owner = found.key.secret.owner
        words = f"The signature is right: signed by {owner} with secret {fingerprint(found.key.secret.text)}."
        findings.append(Finding(mistake=Mistake.NONE, severity="right", words=words))
    return findings


def _unexplained(message: Message, body: bytes, payload: bytes | None, known: Sequence[KnownSecret]) -> list[Finding]:
    if not known:
        return [
            Finding(
                mistake=Mistake.UNKNOWN_SECRET,
                severity="wrong",
                words="There is no secret to verify it with.",
                fix="Name the endpoint (--endpoint), or give the receiver's secret (--secret).",
            )
        ]
    only_v1a = all(signature.label == "v1a" for signature in message.signatures)
    if only_v1a and not any(secret.text.startswith((KEY_PREFIX, PUBLIC_PREFIX)) for secret in known):
        return [
            Finding(
                mistake=Mistake.VERSION,
                severity="wrong",
                words="It is signed with an ed25519 key alone (v1a), and only shared secrets (v1) are known here.",
                fix="Verify v1a with the endpoint's public key (whpk_…).",
            )
        ]
    if payload is not None and payload != body:
        same, differences = how_it_differs(payload, body)
        what = "the same JSON, written anew" if same else "not what was sent"
        return [
            Finding(
                mistake=Mistake.BODY_WRITTEN_ANEW if same else Mistake.OTHER_BODY,
                severity="wrong",
                words=f"The body is {what}: {', '.join(differences)}. With what was sent it is not right either.",
                fix="Verify the raw bytes of the request.",
            ),
            _unknown_secret(known),
        ]
    if payload is not None:
        return [_unknown_secret(known)]
    return [
        Finding(
            mistake=Mistake.UNKNOWN,
            severity="wrong",
            words=f"No known mistake explains it: either the body was changed in some other way, or none of the "
            f"{len(known)} {'secret' if len(known) == 1 else 'secrets'} tried signed it.",
            fix="Compare the body with what the inspector says was sent, byte by byte.",
        )
    ]


def _unknown_secret(known: Sequence[KnownSecret]) -> Finding:
    return Finding(
        mistake=Mistake.UNKNOWN_SECRET,
        severity="wrong",
        words=f"None of the {len(known)} {'secret' if len(known) == 1 else 'secrets'} tried gives this signature: "
        "it is signed with another one, or a header was changed.",
        fix="Compare webhook-id, webhook-timestamp and webhook-signature with what the inspector says was sent.",
    )
