"""The options that `endpoints add` and `endpoints edit` share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar

import click

from console.cli.parameters import DURATION, HEADER, NAME, PATTERNS, SCHEDULE, SECRET
from console.domain.policy import DeliveryPolicy

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFlags:
    """What was given; None or empty where nothing was."""

    name: str | None
    types: tuple[str, ...]
    secrets: tuple[str, ...]
    schedule_s: tuple[float, ...] | None
    timeout_s: float | None
    max_in_flight: int | None
    headers: tuple[tuple[str, str], ...]

    @property
    def given(self) -> list[str]:
        """The names of what was given, for the audit log: never a value."""
        parts = {
            "name": self.name,
            "types": self.types,
            "secret": self.secrets,
            "schedule": self.schedule_s,
            "timeout": self.timeout_s,
            "max-in-flight": self.max_in_flight,
        }
        return [
            *(name for name, value in parts.items() if value not in (None, ())),
            *(f"header {name}" for name, _ in self.headers),
        ]

    def policy(self, before: DeliveryPolicy) -> DeliveryPolicy:
        """The policy with what was given put into it."""
        return replace(
            before,
            schedule_s=self.schedule_s or before.schedule_s,
            timeout_s=before.timeout_s if self.timeout_s is None else self.timeout_s,
            max_in_flight=self.max_in_flight or before.max_in_flight,
            headers=_merged(before.headers, self.headers),
        )


def _merged(before: tuple[tuple[str, str], ...], given: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Header names are told apart without regard to case; an empty value takes the header away."""
    merged = {name.lower(): (name, value) for name, value in before}
    for name, value in given:
        merged.pop(name.lower(), None)
        if value:
            merged[name.lower()] = (name, value)
    return tuple(merged.values())


_OPTIONS = (
    click.option("--name", type=NAME, metavar="NAME", help="A short name for lists and commands. Default: the host."),
    click.option(
        "--types",
        type=PATTERNS,
        multiple=True,
        metavar="A,B",
        help="Which events: a type (invoice.paid), a branch (invoice.*) or *. Repeatable.",
    ),
    click.option(
        "--secret",
        "secrets",
        type=SECRET,
        multiple=True,
        metavar="whsec_…|@FILE|-",
        help="A signing secret; @FILE and - (stdin) keep it out of the shell's history. Repeatable: each one signs.",
    ),
    click.option(
        "--schedule",
        "schedule_s",
        type=SCHEDULE,
        metavar="0,5s,5m",
        help="The wait before each try. Default: 0,5s,5m,30m,2h,5h,10h,14h,20h,24h",
    ),
    click.option("--timeout", "timeout_s", type=DURATION, metavar="15s", help="For a whole attempt: 100ms to 2m."),
    click.option("--max-in-flight", type=click.IntRange(1, 1000), metavar="N", help="Requests at once. Default: 32"),
    click.option(
        "--header",
        "headers",
        type=HEADER,
        multiple=True,
        metavar="K=V",
        help="A header sent with every request. Repeatable.",
    ),
)


def endpoint_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options to a command, which takes them as one `flags`."""

    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        flags = EndpointFlags(
            name=kwargs.pop("name"),
            types=tuple(dict.fromkeys(pattern for group in kwargs.pop("types") for pattern in group)),
            secrets=tuple(dict.fromkeys(kwargs.pop("secrets"))),
            schedule_s=kwargs.pop("schedule_s"),
            timeout_s=kwargs.pop("timeout_s"),
            max_in_flight=kwargs.pop("max_in_flight"),
            headers=kwargs.pop("headers"),
        )
        return command(*args, flags=flags, **kwargs)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected
