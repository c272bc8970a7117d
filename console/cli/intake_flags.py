"""The options of `serve` that say how the HTTP API is served."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from console.cli.parameters import CIDR, URL, Checked
from console.domain.retention import parse_size_bytes

if TYPE_CHECKING:
    from console.intake.settings import IntakeSettings

R = TypeVar("R")


def _address(text: str) -> object:
    from console.intake.settings import parse_address

    return parse_address(text)


_OPTIONS = (
    click.option(
        "--listen",
        type=Checked("address", _address),
        metavar="HOST:PORT",
        help="Serve the HTTP API there: 127.0.0.1:8400. Port 0: any that is free. Default: it is not served.",
    ),
    click.option("--tls-cert", type=click.Path(path_type=Path), metavar="PEM", help="Serve HTTPS with this chain."),
    click.option("--tls-key", type=click.Path(path_type=Path), metavar="PEM", help="Its key, when in another file."),
    click.option(
        "--trusted-proxy",
        "trusted_proxies",
        type=CIDR,
        multiple=True,
        metavar="CIDR",
        help="A network of reverse proxies: what they say of who sent a request is believed. Repeatable.",
    ),
    click.option("--public-url", type=URL, metavar="URL", help="Under which others reach the HTTP API."),
    click.option(
        "--max-body",
        "max_body_bytes",
        type=Checked("size", parse_size_bytes),
        default="16M",
        show_default=True,
        metavar="16M",
        help="Of one request.",
    ),
    click.option(
        "--max-backlog",
        type=click.IntRange(min=1),
        metavar="N",
        help="Accept nothing over HTTP while more deliveries than this are pending. Default: whatever the disk takes.",
    ),
    click.option("--otel", is_flag=True, help="Send traces of requests to a collector, as $OTEL_… say (extra 'otel')."),
)  # fmt: skip


def intake_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options to a command, which takes them as one `intake`; None: the HTTP API is not to be served."""

    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        names = (
            "listen",
            "tls_cert",
            "tls_key",
            "trusted_proxies",
            "public_url",
            "max_body_bytes",
            "max_backlog",
            "otel",
        )
        return command(*args, intake=_settings({name: kwargs.pop(name) for name in names}), **kwargs)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected


def _settings(given: dict[str, Any]) -> "IntakeSettings | None":
    if given["listen"] is None:
        alone = [name for name in ("tls_cert", "tls_key", "public_url", "max_backlog", "otel") if given[name]]
        if alone or given["trusted_proxies"]:
            flag = f"--{(alone or ['trusted_proxy'])[0].replace('_', '-')}"
            raise click.UsageError(f"{flag}: needs --listen, without which the HTTP API is not served")
        return None
    from console.intake.settings import IntakeSettings, check_settings

    return check_settings(IntakeSettings(**given))
