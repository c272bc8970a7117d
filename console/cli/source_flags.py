"""The options that `sources add` and `sources edit` share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar

import click

from console.cli.parameters import CIDR, DURATION, RATE, TEXT, Checked, read_hidden
from console.domain.errors import InvalidInputError
from console.domain.source import Answer, SignatureOptions, SourceOptions

R = TypeVar("R")

NONE = "none"
"""Given in place of a value: there is to be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFlags:
    """What was given; None where nothing was, NONE where there is to be none."""

    allow: tuple[str, ...]
    rate_limit: Any
    type_from: str | None
    id_from: str | None
    type_prefix: str | None
    tolerance_s: float | None
    respond: tuple[int, str] | None
    content_type: str | None
    delay_s: float | None
    signature_header: str | None
    algorithm: str | None
    encoding: str | None
    signature_prefix: str | None
    timestamp_header: str | None

    @property
    def given(self) -> bool:
        return any(getattr(self, name) not in (None, ()) for name in self.__slots__)

    def options(self, before: SourceOptions) -> SourceOptions:
        """The options with what was given put into them."""
        return replace(
            before,
            allow=() if self.allow == (NONE,) else self.allow or before.allow,
            rate_limit=_put(self.rate_limit, before.rate_limit),
            type_from=_put(self.type_from, before.type_from),
            id_from=_put(self.id_from, before.id_from),
            type_prefix=_put(self.type_prefix, before.type_prefix) or "",
            tolerance_s=before.tolerance_s if self.tolerance_s is None else self.tolerance_s,
            signature=self._signature(before.signature),
            answer=answer_of(before.answer, self.respond, self.content_type, self.delay_s),
        )

    def _signature(self, before: SignatureOptions) -> SignatureOptions:
        return SignatureOptions(
            header=_put(self.signature_header, before.header),
            algorithm=self.algorithm or before.algorithm,
            encoding=self.encoding or before.encoding,
            prefix=_put(self.signature_prefix, before.prefix) or "",
            timestamp_header=_put(self.timestamp_header, before.timestamp_header),
        )


def answer_of(
    before: Answer, respond: tuple[int, str] | None, content_type: str | None, delay_s: float | None
) -> Answer:
    """An answer with what was given put into it."""
    status, body = (before.status, before.body) if respond is None else respond
    return Answer(
        status=status,
        body=body,
        content_type=content_type or before.content_type,
        delay_s=before.delay_s if delay_s is None else delay_s,
    )


def _put(given: Any, before: Any) -> Any:
    if given is None:
        return before
    return None if given == NONE else given


def parse_respond(text: str) -> tuple[int, str]:
    """`200`, `200:ok`, `200:@answer.json`."""
    status, _, body = text.partition(":")
    if not (status.isascii() and status.isdigit() and len(status) == 3):
        raise InvalidInputError(f"{text[:40]!r}: a status, or a status and a body such as 200:ok or 200:@FILE")
    return int(status), read_hidden(body, "--respond") if body.startswith("@") else body


def _or_none(parse: Callable[[str], object]) -> Callable[[str], object]:
    return lambda text: NONE if text.strip().lower() == NONE else parse(text)


def _cidr(text: str) -> object:
    return CIDR.convert(text, None, None)


def _rate(text: str) -> object:
    return RATE.convert(text, None, None)


RESPOND = click.option(
    "--respond",
    type=Checked("status[:body]", parse_respond),
    metavar="200[:BODY]",
    help="What is answered: a status, and a body or @FILE.",
)
CONTENT_TYPE = click.option("--content-type", type=TEXT, metavar="TYPE", help="Of that body. Default: text/plain")
DELAY = click.option("--delay", "delay_s", type=DURATION, metavar="2s", help="Wait so long before the answer.")

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--allow",
        type=Checked("cidr", _or_none(_cidr)),
        multiple=True,
        metavar="CIDR",
        help="Take requests from this network alone; 'none': from any. Repeatable.",
    ),
    click.option(
        "--rate-limit",
        type=Checked("rate", _or_none(_rate)),
        metavar="100/m",
        help="At most so many requests; 'none': no limit.",
    ),
    click.option(
        "--type-from",
        type=TEXT,
        metavar="WHERE",
        help="The event's type: header:NAME, body:path.in.it, query:NAME, or a type. Default: as the kind has it.",
    ),
    click.option("--id-from", type=TEXT, metavar="WHERE", help="Its id, by which a repeated request is known."),
    click.option("--prefix", "type_prefix", type=TEXT, metavar="TEXT", help="Stands before every type: stripe."),
    click.option("--tolerance", "tolerance_s", type=DURATION, metavar="5m", help="How old a signature may be."),
    RESPOND,
    CONTENT_TYPE,
    DELAY,
    click.option("--signature-header", type=TEXT, metavar="NAME", help="Of kinds hmac and token: where it stands."),
    click.option("--algorithm", type=click.Choice(("sha256", "sha1", "sha512")), help="Of kind hmac. Default: sha256"),
    click.option("--encoding", type=click.Choice(("hex", "base64")), help="Of kind hmac. Default: hex"),
    click.option("--signature-prefix", type=TEXT, metavar="TEXT", help="What stands before it: sha256="),
    click.option(
        "--timestamp-header", type=TEXT, metavar="NAME", help="Of kind hmac: unix seconds, signed as timestamp.body."
    ),
)


def source_options(command: Callable[..., R]) -> Callable[..., R]:
    """Hands the command its options as `flags`."""

    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        flags = SourceFlags(**{name: kwargs.pop(name) for name in SourceFlags.__slots__})
        return command(*args, flags=flags, **kwargs)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected
