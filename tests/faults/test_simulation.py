"""The real engine in simulated time: days of trouble in seconds, and the same ones again when they are to be seen."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.store.sqlite.store import SqliteStore
from tests.faults.simulation import simulate


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_days_of_trouble_lose_nothing(tmp_path: Path, seed: int) -> None:
    lived = simulate(tmp_path, seed, acts=50)
    assert lived.simulated_hours > 5
    assert lived.posts > lived.arrived > 50
    assert lived.deaths + lived.stale > 1


def test_the_same_seed_lives_the_same_life(tmp_path: Path) -> None:
    """Also in a process that hashes otherwise."""
    said: list[list[str]] = [[], []]
    lived = simulate(tmp_path, 9, acts=40, tell=said[0].append)
    command = [sys.executable, "-m", "tests.faults", "simulate", "--first=9", "--seeds=1", "--acts=40", "--trace"]
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    said[1] = again.stdout.splitlines()[:-1]
    assert said[1] == said[0]
    assert lived.trace in again.stdout.splitlines()[-1]
    assert simulate_digest(tmp_path / "other", 10) != lived.trace


def simulate_digest(folder: Path, seed: int) -> str:
    folder.mkdir()
    return simulate(folder, seed, acts=20).trace


def without_attempt_rows(store: Any, claimed: list[Any]) -> None:
    store._connection.run_many("DELETE FROM attempts WHERE id = ?", [(c.attempt_id,) for c in claimed])


def with_a_delivery_dropped(store: Any, answers: list[Any]) -> None:
    store._connection.run("DELETE FROM deliveries WHERE id = (SELECT max(id) FROM deliveries) AND attempts = 0")


def with_a_count_too_many(store: Any, answer: Any) -> None:
    store._connection.run("UPDATE gauges SET delivered = delivered + 1")


def with_paused_endpoints_resumed(store: Any, answer: Any) -> None:
    store._connection.run("UPDATE endpoints SET state = 'active' WHERE state = 'paused'")


def with_answers_taken_for_success(store: Any, answer: Any) -> None:
    store._connection.run("UPDATE deliveries SET state = 'delivered', next_attempt_at = NULL WHERE state = 'pending'")


@pytest.mark.parametrize(
    ("method", "spoil"),
    [
        ("claim", without_attempt_rows),
        ("accept", with_a_delivery_dropped),
        ("complete", with_a_count_too_many),
        ("complete", with_answers_taken_for_success),
        ("heartbeat", with_paused_endpoints_resumed),
    ],
)
def test_a_broken_store_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, spoil: Callable[[Any, Any], None]
) -> None:
    kept = getattr(SqliteStore, method)

    def spoiled(store: SqliteStore, *arguments: Any, **named: Any) -> Any:
        with store.transaction():
            answer = kept(store, *arguments, **named)
            spoil(store, answer)
        return answer

    monkeypatch.setattr(SqliteStore, method, spoiled)
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        live_thrice(tmp_path)


def live_thrice(folder: Path) -> None:
    for seed in (2, 3, 4):
        (folder / str(seed)).mkdir()
        simulate(folder / str(seed), seed, acts=50)


def test_an_engine_that_does_not_heed_its_fence_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqliteStore, "_refuse_if_fenced", lambda *_, **__: None)
    with pytest.raises(AssertionError, match="I3"):
        simulate(tmp_path, 2, acts=50)
