"""Structured logs of the engine, on stderr."""

import sys
from typing import Literal

import structlog
from structlog.typing import FilteringBoundLogger, Processor

LogFormat = Literal["json", "console"]


def make_log(form: LogFormat | None = None) -> FilteringBoundLogger:
    """A logger that writes one line an event. Without a form: for people on a terminal, else JSON."""
    form = form or ("console" if sys.stderr.isatty() else "json")
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if form == "console"
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        last,
    ]
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return log
