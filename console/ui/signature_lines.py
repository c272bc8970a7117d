"""How a request was signed and how a receiver verifies it, and what a diagnosis found, as lines to read. Pure."""

from collections.abc import Iterator, Sequence

from console.domain.signature_finding import Diagnosis, Finding
from console.domain.signature_message import TOLERANCE_S
from console.domain.why import Times
from console.operations.signature import SignatureFacts, SignedBy
from console.ui.widgets.reading_view import Line
from console.ui.widgets.vocabulary import Cell

_MARKS: dict[str, Cell] = {"right": ("✓ ", "ok"), "note": ("▲ ", "warning"), "wrong": ("✗ ", "error")}

VERIFYING = (
    ("key       ", "= base64 decoded: the secret without its whsec_"),
    ("expected  ", "= base64 of HMAC-SHA256(key, webhook-id + “.” + webhook-timestamp + “.” + the raw body)"),
    ("genuine if", "one of the v1, in webhook-signature equals it, and the timestamp is less than 5 min from now"),
)
"""What a receiver does, in three lines."""


def signature_lines(facts: SignatureFacts | None, body_bytes: int, times: Times) -> Iterator[Line]:
    """Of one request. `facts` None: nothing is recorded of it."""
    if facts is None:
        yield Line(spans=(("No signed request is recorded of this attempt.", "muted"),), prose=True)
        return
    at = "?" if facts.timestamp_s is None else str(facts.timestamp_s)
    yield _row(
        "signed text", ((f"{facts.event_id}.{at}.", "strong"), (f"and the body, {body_bytes:,} bytes", "normal"))
    )
    if facts.timestamp_s is not None:
        moment = facts.timestamp_s * 1000
        tolerance = times.span(TOLERANCE_S * 1000)
        text = f"{times.at(moment)}, {times.ago(moment)}; receivers take it within {tolerance} of their clock"
        yield Line(spans=((f"  {'timestamp':<12}", "muted"), (text, "normal")), hang=14, prose=True)
    for number, signature in enumerate(facts.signatures, 1):
        name = "signature" if len(facts.signatures) == 1 else f"signature {number}"
        yield _row(name, (*_by(signature, facts.sealed, times), (f"  {signature.label},{signature.text}", "muted")))
    if len(facts.signatures) > 1:
        yield _row("", (("a secret rotates: one that verifies is enough", "muted"),))
    yield Line()
    yield Line(spans=(("HOW A RECEIVER VERIFIES IT", "accent"),))
    for name, text in VERIFYING:
        yield Line(spans=((f"  {name} ", "strong"), (text, "normal")), hang=13, prose=True)
    if any(signature.label == "v1a" for signature in facts.signatures):
        yield _row("v1a", (("is ed25519 over the same text, verified with the public key (whpk_…)", "normal"),))


def _by(signature: SignedBy, sealed: bool, times: Times) -> Sequence[Cell]:
    if signature.secret is None:
        why = "which is sealed, so it cannot be told here" if sealed else "which the endpoint no longer has"
        return ((f"by a secret {why}", "warning"),)
    if signature.until_ms is None:
        return ((f"by secret {signature.secret}", "ok"),)
    ends = "ended" if signature.until_ms <= times.now_ms else "ends"
    return ((f"by secret {signature.secret}, which {ends} at {times.at(signature.until_ms)}", "warning"),)


def _row(name: str, spans: Sequence[Cell]) -> Line:
    return Line(spans=((f"  {name:<12}", "muted"), *spans), hang=14)


def diagnosis_lines(diagnosis: Diagnosis, sealed: Sequence[str]) -> list[Line]:
    """Each finding with what to do about it."""
    lines: list[Line] = []
    for finding in diagnosis.findings:
        lines += _finding(finding)
    for name in sealed:
        text = f"The secrets of {name} are sealed with a key that is not at hand, and were not tried."
        lines.append(Line(spans=(("  " + text, "muted"),), hang=2, prose=True))
    return lines


def _finding(finding: Finding) -> Iterator[Line]:
    mark = _MARKS[finding.severity]
    yield Line(spans=(mark, (finding.words, mark[1] if finding.severity != "note" else "normal")), hang=2, prose=True)
    if finding.fix:
        yield Line(spans=(("  " + finding.fix, "muted"),), hang=2, prose=True)
