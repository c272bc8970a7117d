"""What retention, alerts and the doctor ask of the store costs little, however long the history is."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from console.domain.alerts import AlertKind, AlertSpec
from console.domain.retention import Phase, Retention, cutoffs
from tests.factories import NOW_MS
from tests.store.test_plans import FEW, ROWS, Probe
from tests.store.worlds import rolled_back


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    probe = Probe(tmp_path_factory.mktemp("history") / "store.db")
    with closing(probe.connection):
        yield probe


def test_looking_for_what_is_old_reads_one_stretch(probe: Probe) -> None:
    old = cutoffs(Retention(), NOW_MS + 10**12)
    found = probe.store.find_old(Phase.DELIVERIES, old, after=0, limit=50)
    assert len(found.ids) == 50
    for phase in Phase:
        find = partial(probe.store.find_old, phase, old, after=0, limit=50)
        assert probe.work_of(find) < FEW


def test_a_piece_of_deletion_does_a_piece_of_the_work(probe: Probe) -> None:
    old = cutoffs(Retention(), NOW_MS + 10**12)
    ids = probe.store.find_old(Phase.DELIVERIES, old, after=ROWS // 2, limit=50).ids
    with rolled_back(probe.store):
        plan = probe.plan_of(lambda: probe.store.drop_old(Phase.DELIVERIES, ids, old))
        assert "INDEX attempts_delivery (delivery=?)" in plan
        for table in ("deliveries", "events", "exchanges"):
            assert f"SCAN {table}\n" not in plan + "\n"
    with rolled_back(probe.store):
        assert probe.work_of(lambda: probe.store.drop_old(Phase.DELIVERIES, ids, old)) < FEW


def test_alerts_and_facts_cost_little_however_long_the_history(probe: Probe) -> None:
    for spec in (
        AlertSpec(kind=AlertKind.ERROR_RATE, threshold=0.2, window_s=300, least=20),
        AlertSpec(kind=AlertKind.BACKLOG_AGE, threshold=600),
        AlertSpec(kind=AlertKind.TRIPPED),
    ):
        probe.store.add_alert_rule(spec)
    now_ms = NOW_MS + 10**7
    assert "INDEX endpoints_stopped" in probe.plan_of(lambda: probe.store.measure_alerts(now_ms))
    assert probe.work_of(lambda: probe.store.measure_alerts(now_ms)) < FEW
    assert probe.work_of(probe.store.alerts) < FEW
    assert probe.work_of(lambda: probe.store.facts(now_ms)) < FEW
