"""What a demo is asked to be."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The flags of `webhook-console demo`, checked."""

    headless: bool
    """No screen: run for `seconds` and print a report."""
    seconds: float | None
    """How long to run; None until the console is closed."""
    json: bool
    """The report as one JSON object."""
    rate_per_s: float
    """Events made each second."""
    seed: int
    """Of everything random, so that two runs make the same events."""
    theme: str | None
    keep_store: Path | None
    """Where the store is made, to be kept; None for a temporary one."""
