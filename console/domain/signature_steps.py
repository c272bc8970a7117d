"""The mistakes under which a signature came out right, in words. Pure."""

from console.domain.body_difference import how_it_differs
from console.domain.signature_finding import Finding, Mistake, fingerprint
from console.domain.signature_search import Found, Key
from console.domain.why import Times

_AROUND = b" \t\r\n\xef\xbb\xbf"
"""What stands around JSON and is no part of it: blanks, and the byte order mark."""


def of_steps(found: Found, body: bytes, lead: str) -> list[Finding]:
    """The mistakes under which a signature came out right."""
    findings = []
    if found.form is not None:
        findings.append(
            Finding(
                mistake=Mistake.ENCODING,
                severity="wrong",
                words=f"The signature is right, but {found.form}.",
                fix="Write the bytes of the HMAC in standard base64, or decode both before they are compared.",
            )
        )
    if found.wrong_label:
        findings.append(
            Finding(
                mistake=Mistake.VERSION,
                severity="wrong",
                words=found.wrong_label,
                fix="v1 is HMAC-SHA256 with the shared secret; v1a is ed25519, verified with the public key (whpk_…).",
            )
        )
    if found.body is not None:
        findings.append(_of_body(found, body))
    if found.content is not None:
        findings.append(
            Finding(
                mistake=Mistake.SIGNED_TEXT,
                severity="wrong",
                words=f"{lead}{found.content}.",
                fix="Sign id.timestamp.body: the webhook-id, a dot, the webhook-timestamp, a dot, the raw body.",
            )
        )
    if found.key.how is not None:
        findings.append(
            Finding(
                mistake=Mistake.SECRET_NOT_DECODED,
                severity="wrong",
                words=f"{lead}{found.key.how}.",
                fix="The key is what base64 gives for the part of the secret after whsec_, once.",
            )
        )
    return findings


def _of_body(found: Found, body: bytes) -> Finding:
    assert found.body is not None
    name, signed = found.body
    same, differences = how_it_differs(signed, body)
    fix = (
        "Verify the raw bytes of the request, before anything parses them: a JSON parser and a serialiser in between "
        "change them."
    )
    if name is None:
        what = "the same JSON, written anew" if same else "another body than that of the event with this id"
        words = f"What was signed is the event's payload as it was sent; this is {what}: {', '.join(differences)}."
        mistake = Mistake.BODY_WRITTEN_ANEW if same else Mistake.OTHER_BODY
        return Finding(mistake=mistake, severity="wrong", words=words, fix=fix)
    # Something that is not in the values themselves: then it is the same JSON, written by another hand.
    plain = body.strip(_AROUND) == signed.strip(_AROUND) or not same
    words = f"The body was changed on its way: the signature is right if {name}."
    if not plain and differences:
        words = f"The body was written anew: the signature is right if {name}. As it is, {', '.join(differences)}."
    return Finding(
        mistake=Mistake.BODY_CHANGED if plain else Mistake.BODY_WRITTEN_ANEW, severity="wrong", words=words, fix=fix
    )


def of_owner(key: Key, times: Times) -> list[Finding]:
    """What is wrong with whose secret it was; nothing when it is a present one of the endpoint."""
    secret = key.secret
    if not secret.own:
        return [
            Finding(
                mistake=Mistake.OTHER_SECRET,
                severity="wrong",
                words=f"It was signed with secret {fingerprint(secret.text)} of another endpoint, {secret.owner}.",
                fix=f"Each endpoint has its own secret: this one is for {secret.owner}.",
            )
        ]
    if secret.ended(times.now_ms):
        assert secret.until_ms is not None
        return [
            Finding(
                mistake=Mistake.ENDED_SECRET,
                severity="wrong",
                words=f"It was signed with secret {fingerprint(secret.text)} of {secret.owner}, "
                f"which ended at {times.at(secret.until_ms)} ({times.ago(secret.until_ms)}).",
                fix="Give the receiver the endpoint's present secret (endpoints reveal-secret).",
            )
        ]
    return []
