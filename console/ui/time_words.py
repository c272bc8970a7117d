"""Times as people read them, for the words of `console.domain.why`."""

from console.ui.format import age, countdown, date_time, duration


class TimeWords:
    """Seen from now, on this machine's clock. A moment of another day has its date."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def at(self, moment_ms: int) -> str:
        """`14:02:11`, or `2026-01-31 14:02:11`."""
        text = date_time(moment_ms)[:19]
        return text[11:] if text[:10] == date_time(self.now_ms)[:10] else text

    def ago(self, moment_ms: int) -> str:
        return age(self.now_ms, moment_ms)

    def ahead(self, moment_ms: int) -> str:
        return countdown(self.now_ms, moment_ms)

    def span(self, duration_ms: float) -> str:
        return duration(duration_ms)
