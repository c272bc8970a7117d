"""`verify`: what is wrong with a signature that a receiver refuses."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, key_file_option, pass_invocation
from console.cli.output import clean, emit, note, paint, say
from console.cli.parameters import ENDPOINT, MOMENT, TEXT, read_hidden
from console.domain.errors import InvalidInputError
from console.domain.signature_finding import Diagnosis, Finding, Received

_MARKS = {"right": ("✓", "ok"), "note": ("▲", "warning"), "wrong": ("✗", "error")}
_FIELDS = ("ok", "signed_with", "findings")


@click.command(
    cls=ConsoleCommand,
    json_fields=_FIELDS,
    examples=(
        "verify --endpoint billing request.txt",
        "verify --secret @receiver-secret --computed 'v1,K5oZ…' request.txt",
        "verify --endpoint billing --received-at 2026-01-31T14:02 --json request.json",
    ),
)
@click.argument("file", metavar="[FILE]", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option("--endpoint", metavar="NAME", type=ENDPOINT, help="Who got it. Default: whoever is owed the event.")
@click.option(
    "--secret",
    metavar="TEXT",
    type=TEXT,
    help="The secret that the receiver has; @FILE reads it from a file, - from the first line of standard input.",
)
@click.option("--computed", metavar="TEXT", type=TEXT, help="The signature that the receiver's code computed.")
@click.option(
    "--received-at",
    "received_at_ms",
    metavar="WHEN",
    type=MOMENT,
    help="When the receiver looked at it, on its clock: an ISO time, or how long ago (2h).",
)
@key_file_option
@pass_invocation
def verify(
    invocation: Invocation,
    file: Path,
    endpoint: str | None,
    secret: str | None,
    computed: str | None,
    received_at_ms: int | None,
) -> int:
    """Say what is wrong with a signature that a receiver refuses.

    FILE, or standard input, holds what the receiver got: a raw HTTP request (headers, an empty line, the body), a curl
    command, or JSON with "headers" and "body". Bodies that were written anew, secrets that were not decoded or that
    have ended, clocks that are off, and what else people get wrong, are tried one by one; the one that makes it right
    is named. Secrets are never shown: the digits beside a secret only tell it from others.

    With --json, each of the findings has mistake, severity (right, note, wrong), words and fix, which may be null.

    The exit code is 0 when whoever has one of the endpoint's secrets takes the message for genuine, else 1.
    """
    from console.domain.signature_paste import parse_paste

    data, given = _read(file, secret)
    received = parse_paste(data)
    if computed is not None:
        received = replace(received, computed=computed)
    diagnosis, sealed = _judge(invocation, received, endpoint, given, received_at_ms)
    if invocation.json:
        emit(_record(diagnosis))
    else:
        for finding in diagnosis.findings:
            _say(finding)
        for name in sealed:
            note(f"hint: the secrets of {clean(name)} are sealed with a key that is not at hand, and were not tried")
    return 0 if diagnosis.ok else 1


def _read(file: Path, secret: str | None) -> tuple[bytes, str | None]:
    """What was pasted, and the receiver's secret. Raises OSError, InvalidInputError."""
    from console.domain.signature_paste import MOST_BYTES

    if str(file) == "-":
        if sys.stdin.isatty():
            note("paste what the receiver got, and end with ^D:")
        data = sys.stdin.buffer.read(MOST_BYTES + 1)
    else:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    if secret is None:
        return data, None
    if secret != "-":
        return data, read_hidden(secret, "secret")
    if str(file) != "-":
        return data, read_hidden("-", "secret")
    line, _, rest = data.partition(b"\n")
    try:
        return rest, line.decode().strip()
    except UnicodeDecodeError:
        raise InvalidInputError("the first line of standard input, which should hold the secret, is not text") from None


def _judge(
    invocation: Invocation, received: Received, endpoint: str | None, given: str | None, received_at_ms: int | None
) -> tuple[Diagnosis, tuple[str, ...]]:
    from console.domain.signature_diagnosis import diagnose
    from console.operations.signature import judge_signature
    from console.ui.time_words import TimeWords

    times = TimeWords(invocation.clock.now_ms())
    if given is not None and endpoint is None and not invocation.store_path.exists():
        return diagnose(received, (), times=times, given=given, received_at_ms=received_at_ms), ()
    with invocation.reading() as store:
        diagnosis, evidence = judge_signature(
            store,
            received,
            endpoint=endpoint,
            keys=invocation.keys,
            times=times,
            given=given,
            received_at_ms=received_at_ms,
        )
    return diagnosis, evidence.sealed


def _record(diagnosis: Diagnosis) -> dict[str, object]:
    return {
        "ok": diagnosis.ok,
        "signed_with": diagnosis.signed_with,
        "findings": [
            {"mistake": f.mistake.value, "severity": f.severity, "words": f.words, "fix": f.fix}
            for f in diagnosis.findings
        ],
    }


def _say(finding: Finding) -> None:
    mark, style = _MARKS[finding.severity]
    say(paint(f"{mark} {clean(finding.words)}", style))
    if finding.fix:
        say(f"  {clean(finding.fix)}")
