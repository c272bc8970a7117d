"""What is said under a list of failures: where a payload or a transform is wrong."""

from console.domain.event_schema import Flaw
from console.domain.filters import DeliveryFilter
from console.domain.outcome import Cause
from console.store import Store
from console.ui.widgets.flaw_line import flaw_words
from tests.factories import add_endpoint, claim_all, make_completed, make_event, start_engine
from tests.factories import failed as gave_up

FLAW = Flaw(path="data.amount", reason="is no number", pattern="invoice.*", version=2)


def test_mostly_there_is_nothing_to_say(store: Store) -> None:
    add_endpoint(store)
    store.accept([make_event()], 1_700_000_000_000)
    (delivery,) = store.deliveries(DeliveryFilter(), limit=1)
    assert flaw_words(store, delivery) == ""


def test_the_failing_path_and_the_place_in_the_transform_are_said(store: Store) -> None:
    add_endpoint(store)
    epoch = start_engine(store)
    store.accept([make_event(flaw=FLAW)], 1_700_000_000_000)
    (claimed,) = claim_all(store, epoch)
    verdict = gave_up(Cause.TRANSFORM_ERROR, None)
    store.complete([make_completed(claimed, verdict)], epoch=epoch)
    (delivery,) = store.deliveries(DeliveryFilter(), limit=1)
    words = flaw_words(store, delivery)
    assert "⚑ schema: data.amount: is no number (schema invoice.* v2)" in words
    assert f"✗ {verdict.detail}" in words
