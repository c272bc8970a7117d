"""A forecast in words, for screens and commands."""

from console.domain.forecast import SOON_S, Forecast
from console.ui.format import duration, exact, rate


def drained_words(seen: Forecast) -> str:
    """`drained in 4m12s (at its rate limit, 50/s)`, `never at this rate (…)`, `held: …`."""
    if not seen.pending:
        return "nothing is pending"
    if seen.never:
        return f"never drained at this rate ({seen.why})"
    if seen.drained_s is not None:
        return f"drained in {_span(seen.drained_s)} ({seen.why})"
    if seen.resumed_s is not None:
        return f"drained {_span(seen.resumed_s)} after it is active again ({seen.why})"
    return f"not known when it is drained ({seen.why})"


def due_words(seen: Forecast) -> str:
    """`1,200 fall due in the next 10m if it recovers now; its limit lets 600 of them go in that time`."""
    many = f"{exact(seen.due_soon)} or more" if seen.due_is_more else exact(seen.due_soon)
    words = f"{many} {'falls' if seen.due_soon == 1 else 'fall'} due in the next {_span(SOON_S)}"
    words += " if it recovers now"
    if seen.allowed_soon is not None and seen.allowed_soon < seen.due_soon:
        words += f"; its limit lets {exact(seen.allowed_soon)} of them go in that time"
    return words


def rate_words(seen: Forecast) -> str:
    """`3.0/s arrive, 5.0/s are delivered`."""
    if seen.arrivals_per_s is None:
        return f"{rate(seen.delivered_per_s)} are delivered"
    return f"{rate(seen.arrivals_per_s)} arrive, {rate(seen.delivered_per_s)} are delivered"


def forecast_line(seen: Forecast) -> str:
    """The most of it on one line, what weighs most first; empty while nothing is pending."""
    if not seen.pending:
        return ""
    if seen.never:
        words = f"never drained at this rate: {rate_words(seen)}"
    elif seen.drained_s is not None:
        words = f"drained in {_span(seen.drained_s)} {seen.why}"
    elif seen.resumed_s is not None:
        words = f"drained {_span(seen.resumed_s)} after it is active again"
    else:
        words = seen.why
    many = f"{exact(seen.due_soon)}{'+' if seen.due_is_more else ''}"
    words += f" · {many} due in {_span(SOON_S)} if it recovers now"
    if seen.allowed_soon is not None and seen.allowed_soon < seen.due_soon:
        words += f", {exact(seen.allowed_soon)} of them by its limit"
    return words


def _span(seconds: float) -> str:
    return duration(max(1.0, seconds) * 1000)
