"""Sources and captures as the command line shows them."""

from collections.abc import Sequence

from console.cli.output import clean, paint, say
from console.cli.records import Record, iso
from console.cli.table import Cell, Column, print_table
from console.domain.sealing import is_sealed
from console.domain.signing import Secret
from console.domain.source import Source, SourceKind
from console.ui.format import ABSENT, countdown

SOURCE_FIELDS = (
    "id", "name", "kind", "url", "enabled", "until", "secrets", "allow", "rate_limit", "type_from", "id_from",
    "prefix", "tolerance_s", "signature", "respond", "created_at", "version",
)  # fmt: skip

_TELLING = 16
"""Of a secret so long, the last four letters tell it from others and give nothing away."""


def source_url(source: Source, listening: Sequence[str]) -> str:
    """Where requests go; without an engine that serves HTTP, the path alone."""
    base = listening[0].rstrip("/") if listening else ""
    return f"{base}/in/{source.name}"


def source_record(source: Source, listening: Sequence[str]) -> Record:
    """As JSON."""
    options = source.options
    how, answer = options.signature, options.answer
    return {
        "id": source.id,
        "name": source.name,
        "kind": source.kind.value,
        "url": source_url(source, listening),
        "enabled": source.enabled,
        "until": iso(source.until_ms),
        "secrets": [_secret_record(secret) for secret in source.secrets],
        "allow": list(options.allow),
        "rate_limit": None if options.rate_limit is None else str(options.rate_limit),
        "type_from": options.type_from,
        "id_from": options.id_from,
        "prefix": options.type_prefix,
        "tolerance_s": options.tolerance_s,
        "signature": {
            "header": how.header,
            "algorithm": how.algorithm,
            "encoding": how.encoding,
            "prefix": how.prefix,
            "timestamp_header": how.timestamp_header,
        },
        "respond": {
            "status": answer.status,
            "body": answer.body,
            "content_type": answer.content_type,
            "delay_s": answer.delay_s,
        },
        "created_at": iso(source.created_at_ms),
        "version": source.version,
    }


def _secret_record(secret: Secret) -> Record:
    return {"secret": hidden(secret), "sealed": is_sealed(secret.text), "until": iso(secret.until_ms)}


def hidden(secret: Secret) -> str:
    """Enough of a secret to tell it from another; `sealed` where that cannot be told without the key."""
    if is_sealed(secret.text):
        return "sealed"
    return f"…{secret.text[-4:]}" if len(secret.text) >= _TELLING else "…"


def state_cell(source: Source, now_ms: int) -> Cell:
    """Whether it takes anything."""
    if not source.enabled:
        return "disabled", "warning"
    if source.until_ms is None:
        return "open", "ok"
    return (
        ("over", "muted") if now_ms >= source.until_ms else (f"open, ends {countdown(now_ms, source.until_ms)}", "ok")
    )


def print_sources(sources: Sequence[Source], listening: Sequence[str], now_ms: int) -> None:
    """One line each."""
    columns = (
        Column(title="NAME", flexible=True),
        Column(title="KIND"),
        Column(title="STATE"),
        Column(title="URL", flexible=True),
        Column(title="SECRETS", right=True, optional=True),
        Column(title="RATE", right=True, optional=True),
    )
    rows: list[list[Cell]] = []
    for source in sources:
        secrets = str(len(source.secrets)) if source.secrets else ABSENT
        rate = ABSENT if source.options.rate_limit is None else str(source.options.rate_limit)
        rows.append(
            [source.name, source.kind, state_cell(source, now_ms), source_url(source, listening), secrets, rate]
        )
    print_table(columns, rows)


def print_source(source: Source, listening: Sequence[str], now_ms: int) -> None:
    """All of one."""
    options, answer = source.options, source.options.answer
    state = state_cell(source, now_ms)
    words, style = (state, None) if isinstance(state, str) else state
    lines: list[tuple[str, str | None]] = [
        ("id", source.id),
        ("kind", source.kind),
        ("url", source_url(source, listening)),
        ("allow", ", ".join(options.allow) or "from anywhere"),
        ("rate limit", None if options.rate_limit is None else str(options.rate_limit)),
        ("type from", options.type_from),
        ("id from", options.id_from),
        ("prefix", options.type_prefix or None),
        ("tolerance", f"{options.tolerance_s:g} s"),
        ("signature", _signature_words(source)),
        ("respond", f"{answer.status} {answer.body[:60]}".rstrip()),
        ("delay", f"{answer.delay_s:g} s" if answer.delay_s else None),
        *(("secret", _secret_words(secret, now_ms)) for secret in source.secrets),
    ]
    say(f"{clean(source.name)}  {paint(words, style)}")
    for name, text in lines:
        if text is not None:
            say(f"  {name + ':':<12} {clean(text)}")


def _signature_words(source: Source) -> str | None:
    how = source.options.signature
    if source.kind is SourceKind.TOKEN:
        return None if how.header is None else f"in {how.header}"
    if source.kind is not SourceKind.HMAC:
        return None
    stamped = "" if how.timestamp_header is None else f", over timestamp.body with {how.timestamp_header}"
    return f"{how.algorithm} in {how.encoding}, in {how.header}: {how.prefix}…{stamped}"


def _secret_words(secret: Secret, now_ms: int) -> str:
    ends = "" if secret.until_ms is None else f", ends {countdown(now_ms, secret.until_ms)}"
    return f"{hidden(secret)}{ends}"
