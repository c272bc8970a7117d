"""When an alert fires, and when it is over."""

import pytest

from console.domain.alerts import (
    AlertChange,
    AlertKind,
    AlertReading,
    AlertRule,
    AlertRuleId,
    AlertSpec,
    Breach,
    Hysteresis,
    duration_words,
    parse_ratio,
)
from console.domain.errors import InvalidInputError

RULE = AlertRuleId(1)
KEY = (RULE, 7)


class Story:
    """One rule, `for` 30 s, looked at once a second."""

    def __init__(self, for_s: float = 30.0) -> None:
        self.spec = AlertSpec(kind=AlertKind.TRIPPED, for_s=for_s)
        self.muted_until_ms: int | None = None
        self.now_s = 0
        self.firing = False
        self._hysteresis = Hysteresis()

    def pass_seconds(self, seconds: int, *, so: bool, since_ms: int | None = None) -> list[tuple[int, AlertChange]]:
        """Changes, each with the second in which it came."""
        seen: list[tuple[int, AlertChange]] = []
        for _ in range(seconds):
            rule = AlertRule(id=RULE, spec=self.spec, endpoint_name=None, muted_until_ms=self.muted_until_ms)
            reading = AlertReading(
                rules={RULE: rule},
                breaches={KEY: Breach(value=1.0, since_ms=since_ms)} if so else {},
                firing={KEY} if self.firing else set(),
            )
            for change in self._hysteresis.step(reading, now_s=self.now_s, now_ms=self.now_s * 1000):
                seen.append((self.now_s, change))
                self.firing = change.breach is not None
            self.now_s += 1
        return seen


def test_it_fires_when_it_has_held() -> None:
    ((at, change),) = Story().pass_seconds(100, so=True)
    assert at == 30
    assert (change.key, change.since_ms) == (KEY, 0)


def test_a_moment_is_no_alert() -> None:
    story = Story()
    assert story.pass_seconds(29, so=True) == []
    assert story.pass_seconds(1, so=False) == []
    assert story.pass_seconds(29, so=True) == []


def test_it_is_over_when_it_has_been_clear() -> None:
    story = Story()
    story.pass_seconds(40, so=True)
    assert story.pass_seconds(20, so=False) == []
    assert story.pass_seconds(5, so=True) == [], "not over, so nothing fires again"
    ((at, change),) = story.pass_seconds(100, so=False)
    assert (at, change.breach) == (65 + 30, None)


def test_without_a_wait_it_fires_at_once() -> None:
    story = Story(for_s=0)
    ((at, _),) = story.pass_seconds(3, so=True)
    assert at == 0
    ((at, _),) = story.pass_seconds(3, so=False)
    assert at == 3


def test_since_is_what_the_store_knows() -> None:
    ((_, change),) = Story().pass_seconds(31, so=True, since_ms=-5000)
    assert change.since_ms == -5000


def test_muted_nothing_fires_and_after_it_what_still_holds_does() -> None:
    story = Story()
    story.muted_until_ms = 60_000
    assert story.pass_seconds(60, so=True) == []
    ((at, _),) = story.pass_seconds(60, so=True)
    assert at == 90


def test_muted_what_fires_may_end() -> None:
    story = Story()
    story.pass_seconds(40, so=True)
    story.muted_until_ms = 10**9
    ((_, change),) = story.pass_seconds(40, so=False)
    assert change.breach is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            AlertSpec(kind=AlertKind.ERROR_RATE, threshold=0.2, window_s=300, least=20),
            "20% or more of at least 20 attempts in 5m failed",
        ),
        (AlertSpec(kind=AlertKind.BACKLOG_AGE, threshold=5400), "a due delivery has waited 1h30m or longer"),
        (AlertSpec(kind=AlertKind.ENGINE_STALLED, threshold=60), "no engine lived for 1m or longer"),
    ],
)
def test_a_rule_in_words(spec: AlertSpec, words: str) -> None:
    assert spec.check().words == words


@pytest.mark.parametrize(
    "parts",
    [
        {"kind": AlertKind.ERROR_RATE, "threshold": 0, "window_s": 300, "least": 20},
        {"kind": AlertKind.ERROR_RATE, "threshold": 0.2, "window_s": 1, "least": 20},
        {"kind": AlertKind.ERROR_RATE, "threshold": 0.2, "window_s": 300, "least": 0},
        {"kind": AlertKind.BACKLOG_AGE, "threshold": 1},
        {"kind": AlertKind.TRIPPED, "for_s": -1},
        {"kind": AlertKind.ENGINE_STALLED, "threshold": 60, "endpoint": "ep_1"},
    ],
)
def test_rules_that_cannot_be(parts: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        AlertSpec(**parts).check()  # type: ignore[arg-type] # parametrised


def test_ratios_and_durations() -> None:
    assert (parse_ratio("20%"), parse_ratio("0.5")) == (0.2, 0.5)
    for text in ("0", "200%", "x", "-1%"):
        with pytest.raises(InvalidInputError):
            parse_ratio(text)
    assert [duration_words(s) for s in (0, 45, 600, 5400, 90061)] == ["0s", "45s", "10m", "1h30m", "1d1h"]
