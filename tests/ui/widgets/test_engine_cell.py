"""What the header says of an engine, by how long it has been silent."""

import pytest

from console.domain.status import EngineStatus
from console.ui.screens.live_screen import TICK_S
from console.ui.widgets.header import LATE_AFTER_MS, engine_cell

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("silent_ms", "words"),
    [
        (0, "● running"),
        (LATE_AFTER_MS - 1, "● running"),
        (LATE_AFTER_MS, "▲ engine stale 2s"),
        (3_000, "▲ engine stale 3s"),
        (59_999, "▲ engine stale 59s"),
        (60_000, "■ no engine · silent 1m"),
    ],
)
def test_silence_is_said(silent_ms: int, words: str) -> None:
    engine = EngineStatus(
        epoch=1, pid=7, host="box", version="0", started_at_ms=NOW_MS - 90_000, heartbeat_at_ms=NOW_MS - silent_ms,
        stopped_at_ms=None, stop_requested=False, in_flight=0,
    )  # fmt: skip
    assert engine_cell(engine, NOW_MS, wide=False)[0].startswith(words)


def test_it_is_noticed_within_three_seconds() -> None:
    assert LATE_AFTER_MS + TICK_S * 1000 < 3_000, "the heartbeat may have come just before the end"
