"""How long things are kept, and how deletion is paced."""

import pytest

from console.domain.delivery import DeliveryState
from console.domain.errors import InvalidInputError
from console.domain.retention import (
    LARGEST_PIECE,
    PIECE_S,
    SMALLEST_PIECE,
    Retention,
    check_retention,
    cutoffs,
    next_piece,
    parse_size_bytes,
    pause_s,
)

NOW_MS = 1_700_000_000_000
DAY_S = 86_400


def test_what_is_owed_has_no_age() -> None:
    ages = Retention(delivered_s=1, failed_s=2, cancelled_s=3)
    assert {state.value: ages.age_s(state) for state in DeliveryState} == {
        "pending": 0,
        "sending": 0,
        "delivered": 1,
        "failed": 2,
        "cancelled": 3,
    }


def test_cutoffs_leave_out_what_is_for_ever() -> None:
    found = cutoffs(Retention(delivered_s=DAY_S, failed_s=0, cancelled_s=2 * DAY_S), NOW_MS)
    assert dict(found.by_state) == {
        DeliveryState.DELIVERED: NOW_MS - DAY_S * 1000,
        DeliveryState.CANCELLED: NOW_MS - 2 * DAY_S * 1000,
    }
    assert (found.unwanted_ms, found.bodies_ms, found.youngest_ms) == (NOW_MS - DAY_S * 1000, None, NOW_MS - 86_400_000)
    assert cutoffs(Retention(delivered_s=0), NOW_MS).unwanted_ms is None
    assert (found.inbox_ms, cutoffs(Retention(inbox_s=0), NOW_MS).inbox_ms) == (NOW_MS - 30 * DAY_S * 1000, None)
    assert Retention(delivered_s=0, failed_s=0, cancelled_s=0, inbox_s=0).deletes_nothing
    assert not Retention(delivered_s=0, failed_s=0, cancelled_s=0).deletes_nothing


def test_a_piece_grows_and_shrinks_towards_its_time() -> None:
    assert next_piece(100, PIECE_S) == 100
    assert next_piece(100, PIECE_S * 4) == 25
    assert next_piece(20, PIECE_S / 100) == 40, "twice as much at the most"
    assert next_piece(LARGEST_PIECE, PIECE_S / 100) == LARGEST_PIECE
    assert next_piece(SMALLEST_PIECE, PIECE_S * 100) == SMALLEST_PIECE
    assert next_piece(20, 0.0) == 40


def test_rests_are_in_proportion() -> None:
    assert pause_s(0.010, behind=False) == pytest.approx(0.090)
    assert pause_s(0.010, behind=True) < 0.03
    assert pause_s(0.0, behind=True) > 0


@pytest.mark.parametrize(
    ("text", "size"),
    [("512M", 2**29), ("20G", 20 * 2**30), ("1.5GiB", 3 * 2**29), ("1tb", 2**40), ("100", 100), ("0", 0), ("4k", 4096)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "1X", "nan", "inf", "1e30T", "ten"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InvalidInputError, match="512M"):
        parse_size_bytes(text)


@pytest.mark.parametrize(
    "parts", [{"delivered_s": 1}, {"failed_s": -5}, {"bodies_s": 1e12}, {"max_size_bytes": 1000}, {"cancelled_s": 59.9}]
)
def test_bounds(parts: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        check_retention(Retention(**parts))  # type: ignore[arg-type] # sizes are whole, ages are not
