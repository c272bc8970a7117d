"""The window of the tail: whatever comes, and wherever somebody goes, nothing is lost, doubled or out of order."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.delivery import Attempt
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId
from console.domain.outcome import Cause
from console.domain.passing import Glimpse, count_passed
from console.ui.widgets.attempt_tail import fold_words
from console.ui.widgets.line_view import EdgeCell, edge_of
from console.ui.widgets.tail_model import KEPT, Folded, TailModel

NAMES = ("crm", "slack", "mail")


def attempt(number: int, *, cause: Cause | None = None, endpoint: str = "crm", ended: bool = True) -> Attempt:
    """An attempt that began at the millisecond of its number."""
    return Attempt(
        id=AttemptId(number),
        delivery_id=DeliveryId(number),
        event_id=EventId(f"evt_{number}"),
        event_type="invoice.paid",
        endpoint_id=EndpointId("ep_a"),
        endpoint_name=endpoint,
        number=1,
        manual=False,
        started_at_ms=number,
        ended_at_ms=number + 5 if ended else None,
        status=None if cause or not ended else 200,
        cause=cause,
        detail=None,
        total_ms=5.0,
        first_byte_ms=4.0,
    )


def passed_of(attempts: list[Attempt]) -> list[Any]:
    return count_passed(Glimpse(a.id, a.endpoint_name, a.started_at_ms, True, a.cause is not None) for a in attempts)


def ids(model: TailModel) -> list[int]:
    return [row.id for row in model.rows if isinstance(row, Attempt)]


def counted(model: TailModel) -> int:
    return sum(row.count for row in model.rows if isinstance(row, Folded))


def test_a_fold_says_how_many_of_whom() -> None:
    model = TailModel()
    many = [attempt(n, endpoint="crm" if n % 3 else "slack") for n in range(1_000, 1_030)]
    model.take([], passed=passed_of(many), now_ms=0)
    (fold,) = model.rows
    assert isinstance(fold, Folded)
    assert fold_words(fold) == ("✓ 30 delivered · crm 20 · slack 10", "ok")
    model.take([], passed=passed_of([attempt(1_500, endpoint="slack")]), now_ms=0)
    assert len(model.rows) == 1, "what ends later is counted where it began"
    assert counted(model) == 31


def test_a_fold_opens_in_its_place_and_closes_again() -> None:
    model = TailModel()
    inside = [attempt(n) for n in range(1_000, 1_010)]
    model.take([attempt(900)], passed=passed_of(inside), now_ms=0)
    model.take([attempt(2_001, cause=Cause.DNS)], now_ms=0)
    fold = next(row for row in model.rows if isinstance(row, Folded))
    before = list(model.rows)
    assert model.open_fold(fold.number, inside)
    assert not model.open_fold(fold.number, inside), "it is open"
    at = next(i for i, row in enumerate(model.rows) if isinstance(row, Folded))
    assert [row.id for row in model.rows[at + 1 : at + 11] if isinstance(row, Attempt)] == list(range(1_000, 1_010))
    assert model.fold_at(at + 4) == model.rows[at]
    assert model.fold_at(len(model.rows) - 1) is None
    assert model.close_folds()
    assert model.rows == before
    assert not model.close_folds()


def test_what_is_released_is_not_taken_away_and_is_found_again_below() -> None:
    model = TailModel()
    model.take([attempt(1)], now_ms=0)
    for start in range(10, 10 + KEPT + 600, 500):
        model.take([attempt(n, cause=Cause.DNS) for n in range(start, start + 500)], now_ms=0, following=False)
    assert model.detached
    assert model.rows[0] == attempt(1)
    assert model.newest_id is not None
    newest = model.newest_id
    assert model.take([attempt(newest + 1)], now_ms=0, following=False) == 1, "it is one more that is not shown"
    assert ids(model)[-1] == newest
    model.append([attempt(newest + 1)], reached=AttemptId(newest + 1), at_end=True)
    assert [model.detached] == [False]
    assert ids(model)[-1] == newest + 1
    model.take([attempt(newest + 2, cause=Cause.DNS)], now_ms=0)
    assert ids(model)[-1] == newest + 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("made"), st.integers(1, 60), st.booleans()),
            st.tuples(st.sampled_from(["older", "newer", "first", "newest", "open", "close"]), st.integers(5, 400)),
        ),
        max_size=30,
    )
)
def test_the_window_is_what_the_store_has_between_its_ends(steps: list[Any]) -> None:
    made = [attempt(n * 40, cause=Cause.DNS if n % 7 == 0 else None, endpoint=NAMES[n % 3]) for n in range(1, 400)]
    model = TailModel()
    model.take(made[-50:], now_ms=0)
    for step in steps:
        if step[0] == "made":
            start = made[-1].id
            new = [
                attempt(start + n, cause=Cause.DNS if n % 7 == 0 else None, endpoint=NAMES[n % 3])
                for n in range(1, step[1] + 1)
            ]
            made += new
            if step[2]:  # a flood, of which successes are counted
                model.take([a for a in new if a.cause], passed=passed_of(new), now_ms=0)
            else:
                model.take(new, now_ms=0)
        else:
            _go(model, made, *step)
        low, high = model.oldest_id, model.newest_id
        assert low is not None
        assert high is not None
        inside = [a.id for a in made if low <= a.id <= high]
        opened = model.has_open_folds
        assert sorted(ids(model)) == sorted(set(ids(model))), "none twice"
        assert set(ids(model)) <= set(inside)
        assert opened or len(ids(model)) + counted(model) == len(inside), "none lost"
        assert {a.id for a in made if a.cause and low <= a.id <= high} <= set(ids(model)), "failures stay rows"
        assert model.detached or high == made[-1].id


def _go(model: TailModel, made: list[Attempt], kind: str, size: int) -> None:
    assert model.oldest_id is not None
    assert model.newest_id is not None
    low, high = model.oldest_id, model.newest_id
    match kind:
        case "older":
            page = [a for a in made if a.id < low][-size:]
            model.prepend(page, reached=page[0].id if page else None, at_start=len(page) < size)
        case "newer" if model.detached:
            page = [a for a in made if a.id > high][:size]
            model.append(page, reached=page[-1].id if page else None, at_end=len(page) < size)
        case "first":
            model.show_page(made[:size], reached=made[:size][-1].id, at_start=True, at_end=size >= len(made))
        case "newest":
            model.show_page(made[-size:], reached=made[-size:][0].id, at_start=False, at_end=True)
        case "open":
            folds = [row for row in model.rows if isinstance(row, Folded) and not row.is_open]
            if folds:
                fold = folds[size % len(folds)]
                of_second = [a for a in made if a.cause is None and a.started_at_ms // 1000 == fold.number]
                model.open_fold(fold.number, [a for a in of_second if fold.first_id <= a.id <= fold.last_id])
        case "close":
            model.close_folds()
        case _:
            pass


@given(st.integers(0, 5_000), st.integers(1, 60), st.integers(0, 5_000), st.data())
def test_ticks_stand_where_the_lines_are(count: int, height: int, first: int, data: st.DataObject) -> None:
    first = min(first, max(0, count - height))
    ticks = data.draw(st.lists(st.integers(0, max(0, count - 1)), max_size=10)) if count else []
    cells = edge_of(count, height, first, height, ticks)
    assert len(cells) == (height if count else 0)
    ticked = {EdgeCell.TICK, EdgeCell.TICK_ON_THUMB}
    assert any(cell in ticked for cell in cells) == bool(ticks)
    if count > height:
        on = [y for y, cell in enumerate(cells) if cell in (EdgeCell.THUMB, EdgeCell.TICK_ON_THUMB)]
        assert on == list(range(on[0], on[-1] + 1)), "one piece"
        assert (on[0] == 0) >= (first == 0)
        assert (on[-1] == height - 1) >= (first == count - height)
        for tick in ticks:
            if first <= tick < first + height:
                assert cells[tick * height // count] is EdgeCell.TICK_ON_THUMB
