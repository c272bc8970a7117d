"""Secrets as the first schema kept them, read by this one."""

import json
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from console.domain.endpoint import EndpointState
from console.domain.signing import Secret
from console.store import open_store
from console.store.sqlite.library import sqlite3
from console.store.sqlite.schema import APPLICATION_ID, migrations
from tests.factories import NOW_MS, SECRET

POLICY = {
    "schedule_s": [0.0, 5.0],
    "timeout_s": 15.0,
    "max_in_flight": 32,
    "headers": [["X-Api-Key", "k3y"], ["X-Team", "ops"]],
}
_ADD = """
INSERT INTO endpoints (id, name, url, types, secrets, policy, state, state_since, created_at, version, removed_at)
VALUES (?, ?, 'http://127.0.0.1:9/', '["*"]', ?, ?, 'active', ?, ?, 1, ?)
"""


def make_first(path: Path) -> None:
    """A store of the first schema: one endpoint that is there, and one that was removed."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        migrations().apply(Database(connection), stop_before="m002_full_strength")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=1")
        secrets = json.dumps([SECRET, "whsk_" + "A" * 43 + "="])
        for id_, removed_at in (("ep_1", None), ("ep_2", NOW_MS)):
            connection.execute(_ADD, (id_, id_[3:], secrets, json.dumps(POLICY), NOW_MS, NOW_MS, removed_at))


def test_secrets_of_the_first_schema_are_read_and_those_of_the_removed_are_gone(store_path: Path) -> None:
    make_first(store_path)
    with closing(open_store(store_path)) as store:
        (endpoint,) = store.endpoints()
        assert endpoint.secrets == (Secret(text=SECRET), Secret(text="whsk_" + "A" * 43 + "="))
        assert endpoint.policy.headers == (("X-Api-Key", "k3y"), ("X-Team", "ops"))
        store.set_endpoint_state(endpoint.id, EndpointState.PAUSED, None, NOW_MS)
        assert store.find_endpoint("ep_1").secrets == endpoint.secrets
    with closing(sqlite3.connect(store_path)) as connection:
        (kept,) = connection.execute("SELECT secrets, policy FROM endpoints WHERE id = 'ep_2'").fetchall()
    assert kept == ("[]", '{"schedule_s":[0.0,5.0]}')
