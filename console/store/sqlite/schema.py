"""The schema, as migrations. A migration is never edited once it is released."""

from typing import TYPE_CHECKING

from console.domain.failure_group import UNTOLD, UNTOLD_WORDS
from console.domain.rates import SLOTS
from console.store.sqlite.policies import own_policy_text, without_secrets

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x77686B63
"""`whkc`, in the file's header: what tells a store from any other SQLite file."""

VERSION = 4
"""`PRAGMA user_version` of a store that has every migration below."""

HISTOGRAM_COLUMNS = tuple(f"h{i}" for i in range(SLOTS))

TROUBLED = "last_cause IS NOT NULL AND state IN ('pending', 'sending', 'failed')"
"""The condition of the index on deliveries that need a look; queries must repeat it to the letter."""

_M001 = f"""
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('routing', 1);

CREATE TABLE endpoints (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  types TEXT NOT NULL CHECK (json_valid(types)),
  secrets TEXT NOT NULL CHECK (json_valid(secrets)),
  policy TEXT NOT NULL CHECK (json_valid(policy)),
  state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'tripped', 'disabled')),
  state_reason TEXT,
  state_since INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX endpoints_name ON endpoints (name) WHERE removed_at IS NULL;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  payload BLOB NOT NULL,
  accepted_at INTEGER NOT NULL,
  source TEXT NOT NULL
) STRICT;

CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  event INTEGER NOT NULL REFERENCES events (seq),
  endpoint INTEGER NOT NULL REFERENCES endpoints (seq),
  state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'delivered', 'failed', 'cancelled')),
  attempts INTEGER NOT NULL DEFAULT 0,
  step INTEGER NOT NULL DEFAULT 0,
  manual INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER,
  lease INTEGER NOT NULL DEFAULT 0,
  last_cause TEXT,
  last_status INTEGER,
  last_attempt_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL))
) STRICT;
CREATE INDEX deliveries_due ON deliveries (endpoint, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_sending ON deliveries (id) WHERE state = 'sending';
CREATE INDEX deliveries_troubled ON deliveries (id) WHERE {TROUBLED};
CREATE INDEX deliveries_event ON deliveries (event);

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  delivery INTEGER NOT NULL REFERENCES deliveries (id),
  endpoint INTEGER NOT NULL,
  number INTEGER NOT NULL,
  manual INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  status INTEGER,
  cause TEXT,
  detail TEXT,
  total_ms REAL,
  first_byte_ms REAL
) STRICT;
CREATE UNIQUE INDEX attempts_delivery ON attempts (delivery, number);
CREATE INDEX attempts_endpoint ON attempts (endpoint, id);
CREATE INDEX attempts_failed ON attempts (id) WHERE cause IS NOT NULL;

CREATE TABLE exchanges (
  attempt INTEGER PRIMARY KEY REFERENCES attempts (id),
  url TEXT NOT NULL,
  request_headers TEXT NOT NULL,
  response_headers TEXT,
  response_body BLOB,
  truncated INTEGER NOT NULL,
  remote_address TEXT
) STRICT;

CREATE TABLE rates (
  width INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  accepted INTEGER NOT NULL DEFAULT 0,
  ok INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  {", ".join(f"{column} INTEGER NOT NULL DEFAULT 0" for column in HISTOGRAM_COLUMNS)},
  PRIMARY KEY (width, bucket, endpoint)
) STRICT, WITHOUT ROWID;

CREATE TABLE causes (
  bucket INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  cause TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (bucket, endpoint, cause)
) STRICT, WITHOUT ROWID;

CREATE TABLE gauges (
  endpoint INTEGER PRIMARY KEY,
  pending INTEGER NOT NULL DEFAULT 0,
  sending INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  last_success_at INTEGER,
  last_failure_at INTEGER,
  last_failure_cause TEXT,
  last_failure_detail TEXT
) STRICT;

CREATE TABLE operations (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  target TEXT NOT NULL,
  reason TEXT,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  done INTEGER NOT NULL DEFAULT 0,
  result TEXT
) STRICT;

CREATE TABLE nudges (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  endpoint INTEGER NOT NULL,
  settings INTEGER NOT NULL
) STRICT;

CREATE TABLE engine (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  version TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL,
  stopped_at INTEGER,
  stop_requested INTEGER NOT NULL DEFAULT 0,
  in_flight INTEGER NOT NULL DEFAULT 0
) STRICT;
"""

_M002 = """
CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value)),
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE endpoints ADD COLUMN probe_at INTEGER;
ALTER TABLE endpoints ADD COLUMN trips INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN pace TEXT CHECK (json_valid(pace));
ALTER TABLE endpoints ADD COLUMN permitted_url TEXT;
ALTER TABLE endpoints ADD COLUMN permitted_per_minute INTEGER;

ALTER TABLE deliveries ADD COLUMN order_key TEXT;
ALTER TABLE deliveries ADD COLUMN operation INTEGER REFERENCES operations (id);
ALTER TABLE deliveries ADD COLUMN state_before TEXT;
ALTER TABLE deliveries ADD COLUMN due_before INTEGER;
CREATE INDEX deliveries_endpoint_state ON deliveries (endpoint, state, id);
CREATE INDEX deliveries_cause ON deliveries (last_cause, id) WHERE last_cause IS NOT NULL;
CREATE INDEX deliveries_endpoint_cause ON deliveries (endpoint, last_cause, id) WHERE last_cause IS NOT NULL;
CREATE INDEX attempts_cause ON attempts (cause, id) WHERE cause IS NOT NULL;
CREATE INDEX attempts_endpoint_cause ON attempts (endpoint, cause, id) WHERE cause IS NOT NULL;
CREATE INDEX events_type ON events (type, seq);
CREATE INDEX deliveries_operation ON deliveries (operation, id) WHERE operation IS NOT NULL;
CREATE INDEX deliveries_ordered ON deliveries (endpoint, order_key, state, id)
  WHERE order_key IS NOT NULL AND state IN ('pending', 'sending', 'failed');

ALTER TABLE gauges ADD COLUMN failing_since INTEGER;

ALTER TABLE operations ADD COLUMN plan TEXT CHECK (json_valid(plan));
ALTER TABLE operations ADD COLUMN total INTEGER;
ALTER TABLE operations ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN cancelled_by TEXT;
ALTER TABLE operations ADD COLUMN rate REAL;
ALTER TABLE operations ADD COLUMN paced_until REAL;
UPDATE operations SET finished_at = started_at, result = 'interrupted' WHERE finished_at IS NULL;
CREATE INDEX operations_open ON operations (id) WHERE finished_at IS NULL;

CREATE TABLE alert_rules (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('error_rate', 'backlog_age', 'tripped', 'engine_stalled')),
  endpoint INTEGER REFERENCES endpoints (seq),
  threshold REAL NOT NULL,
  window_s REAL NOT NULL,
  least INTEGER NOT NULL,
  for_s REAL NOT NULL,
  muted_until INTEGER
) STRICT;
INSERT INTO alert_rules (kind, threshold, window_s, least, for_s) VALUES
  ('tripped', 0, 0, 0, 30), ('backlog_age', 600, 0, 0, 30), ('engine_stalled', 60, 0, 0, 0);

CREATE TABLE alert_states (
  rule INTEGER NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
  endpoint INTEGER NOT NULL,
  value REAL NOT NULL,
  since INTEGER NOT NULL,
  fired_at INTEGER NOT NULL,
  PRIMARY KEY (rule, endpoint)
) STRICT, WITHOUT ROWID;
CREATE INDEX endpoints_stopped ON endpoints (state) WHERE state IN ('tripped', 'disabled') AND removed_at IS NULL;
"""

_M003 = f"""
ALTER TABLE attempts ADD COLUMN due_at INTEGER;
ALTER TABLE attempts ADD COLUMN resolve_ms REAL;
ALTER TABLE attempts ADD COLUMN connect_ms REAL;
ALTER TABLE attempts ADD COLUMN tls_ms REAL;
CREATE INDEX attempts_status ON attempts (status, id) WHERE cause IS NOT NULL AND status IS NOT NULL;

ALTER TABLE deliveries ADD COLUMN failure_group INTEGER;
ALTER TABLE deliveries ADD COLUMN url TEXT;
CREATE INDEX deliveries_status ON deliveries (last_status, id) WHERE last_cause IS NOT NULL AND last_status IS NOT NULL;

ALTER TABLE events ADD COLUMN copy_of INTEGER;
CREATE INDEX events_copies ON events (copy_of) WHERE copy_of IS NOT NULL;

CREATE TABLE failure_groups (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  endpoint INTEGER NOT NULL,
  cause TEXT NOT NULL,
  status INTEGER NOT NULL,
  fingerprint INTEGER NOT NULL,
  words TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  example INTEGER,
  UNIQUE (endpoint, cause, status, fingerprint)
) STRICT;

CREATE TABLE group_rates (
  failure_group INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (bucket, failure_group)
) STRICT, WITHOUT ROWID;
INSERT INTO failure_groups (endpoint, cause, status, fingerprint, words, first_at, last_at, example)
  SELECT endpoint, last_cause, coalesce(last_status, 0), {UNTOLD}, '{UNTOLD_WORDS}', min(created_at),
    max(coalesce(last_attempt_at, updated_at)), (SELECT max(id) FROM attempts WHERE delivery = max(deliveries.id))
  FROM deliveries WHERE {TROUBLED} GROUP BY 1, 2, 3;
UPDATE deliveries SET failure_group = (SELECT g.id FROM failure_groups g WHERE g.endpoint = deliveries.endpoint
  AND g.cause = last_cause AND g.status = coalesce(last_status, 0) AND g.fingerprint = {UNTOLD}) WHERE {TROUBLED};
CREATE INDEX deliveries_group ON deliveries (failure_group, id, state) WHERE failure_group IS NOT NULL AND {TROUBLED};

CREATE TABLE levels (
  endpoint INTEGER NOT NULL,
  at INTEGER NOT NULL,
  state TEXT NOT NULL,
  state_since INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  PRIMARY KEY (endpoint, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE search_stale (
  id INTEGER PRIMARY KEY,
  shelf INTEGER NOT NULL
) STRICT;

CREATE TABLE watchers (
  id TEXT PRIMARY KEY,
  actor TEXT NOT NULL,
  place TEXT NOT NULL,
  since INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE endpoints ADD COLUMN resume_at INTEGER;
ALTER TABLE endpoints ADD COLUMN resume_pace TEXT CHECK (json_valid(resume_pace));
CREATE INDEX endpoints_resuming ON endpoints (resume_at) WHERE resume_at IS NOT NULL;
ALTER TABLE operations ADD COLUMN before TEXT CHECK (json_valid(before));
"""

_M004 = """
ALTER TABLE endpoints ADD COLUMN filter TEXT;
ALTER TABLE endpoints ADD COLUMN transform TEXT CHECK (json_valid(transform));
ALTER TABLE endpoints ADD COLUMN dry_run INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN hops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN via TEXT;
ALTER TABLE events ADD COLUMN flaw TEXT CHECK (json_valid(flaw));
ALTER TABLE exchanges ADD COLUMN request_method TEXT;
ALTER TABLE exchanges ADD COLUMN request_body BLOB;

CREATE TABLE sources (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  secrets TEXT NOT NULL CHECK (json_valid(secrets)),
  options TEXT NOT NULL CHECK (json_valid(options)),
  until INTEGER,
  enabled INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX sources_name ON sources (name) WHERE removed_at IS NULL;

CREATE TABLE inbox (
  id INTEGER PRIMARY KEY,
  source INTEGER NOT NULL REFERENCES sources (seq),
  received_at INTEGER NOT NULL,
  fate TEXT NOT NULL CHECK (fate IN ('accepted', 'flagged', 'duplicate', 'rejected', 'captured', 'answered')),
  event INTEGER,
  status INTEGER NOT NULL,
  took_ms REAL,
  remote_address TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  query TEXT NOT NULL,
  content_type TEXT,
  reason TEXT,
  size INTEGER NOT NULL,
  headers TEXT NOT NULL CHECK (json_valid(headers)),
  body BLOB NOT NULL
) STRICT;
CREATE INDEX inbox_source ON inbox (source, id);
CREATE INDEX inbox_fate ON inbox (fate, id);
CREATE INDEX inbox_source_fate ON inbox (source, fate, id);
CREATE INDEX inbox_event ON inbox (event) WHERE event IS NOT NULL;

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  digest BLOB NOT NULL,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  rate_limit TEXT CHECK (json_valid(rate_limit)),
  created_at INTEGER NOT NULL,
  last_used_at INTEGER,
  until INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE schemas (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pattern TEXT NOT NULL,
  version INTEGER NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('reject', 'flag')),
  text TEXT NOT NULL CHECK (json_valid(text)),
  created_at INTEGER NOT NULL,
  retired_at INTEGER,
  UNIQUE (pattern, version)
) STRICT;

INSERT INTO meta VALUES ('intake', 1);
INSERT INTO settings (key, value, updated_at) VALUES ('instance', json_quote(lower(hex(randomblob(8)))), 0);
"""


def migrations() -> "Migrations":
    """All migrations, oldest first. sqlite-utils is imported here, since only a store that is old or new needs it."""
    from sqlite_utils import Migrations

    schema = Migrations("webhook-console")

    @schema()
    def m001_first(db: "Database") -> None:
        _run(db, _M001)

    @schema()
    def m002_full_strength(db: "Database") -> None:
        _run(db, _M002)
        # A policy used to be written whole; what is as built in now follows the store's default.
        for seq, policy in db.execute("SELECT seq, policy FROM endpoints").fetchall():
            db.execute("UPDATE endpoints SET policy = ? WHERE seq = ?", (own_policy_text(policy), seq))
        # Nothing needs the secrets of an endpoint that was removed.
        for seq, policy in db.execute("SELECT seq, policy FROM endpoints WHERE removed_at IS NOT NULL").fetchall():
            db.execute("UPDATE endpoints SET secrets = '[]', policy = ? WHERE seq = ?", (without_secrets(policy), seq))

    @schema()
    def m003_find_and_fix(db: "Database") -> None:
        _run(db, _M003)

    @schema()
    def m004_intake(db: "Database") -> None:
        _run(db, _M004)

    return schema


def _run(db: "Database", script: str) -> None:
    # Raw DDL: sqlite-utils has no STRICT with CHECK, partial indexes or WITHOUT ROWID. One statement at a time, since
    # executescript would commit the transaction that makes a migration whole.
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)
