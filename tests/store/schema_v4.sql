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
CREATE TABLE alert_states (
  rule INTEGER NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
  endpoint INTEGER NOT NULL,
  value REAL NOT NULL,
  since INTEGER NOT NULL,
  fired_at INTEGER NOT NULL,
  PRIMARY KEY (rule, endpoint)
) STRICT, WITHOUT ROWID;
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
, due_at INTEGER, resolve_ms REAL, connect_ms REAL, tls_ms REAL) STRICT;
CREATE TABLE causes (
  bucket INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  cause TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (bucket, endpoint, cause)
) STRICT, WITHOUT ROWID;
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
  updated_at INTEGER NOT NULL, order_key TEXT, operation INTEGER REFERENCES operations (id), state_before TEXT, due_before INTEGER, failure_group INTEGER, url TEXT,
  CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL))
) STRICT;
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
, probe_at INTEGER, trips INTEGER NOT NULL DEFAULT 0, pace TEXT CHECK (json_valid(pace)), permitted_url TEXT, permitted_per_minute INTEGER, resume_at INTEGER, resume_pace TEXT CHECK (json_valid(resume_pace)), filter TEXT, transform TEXT CHECK (json_valid(transform)), dry_run INTEGER NOT NULL DEFAULT 0) STRICT;
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
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  payload BLOB NOT NULL,
  accepted_at INTEGER NOT NULL,
  source TEXT NOT NULL
, copy_of INTEGER, hops INTEGER NOT NULL DEFAULT 0, via TEXT, flaw TEXT CHECK (json_valid(flaw))) STRICT;
CREATE TABLE exchanges (
  attempt INTEGER PRIMARY KEY REFERENCES attempts (id),
  url TEXT NOT NULL,
  request_headers TEXT NOT NULL,
  response_headers TEXT,
  response_body BLOB,
  truncated INTEGER NOT NULL,
  remote_address TEXT
, request_method TEXT, request_body BLOB) STRICT;
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
, failing_since INTEGER) STRICT;
CREATE TABLE group_rates (
  failure_group INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (bucket, failure_group)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE levels (
  endpoint INTEGER NOT NULL,
  at INTEGER NOT NULL,
  state TEXT NOT NULL,
  state_since INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  PRIMARY KEY (endpoint, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE nudges (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  endpoint INTEGER NOT NULL,
  settings INTEGER NOT NULL
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
, plan TEXT CHECK (json_valid(plan)), total INTEGER, position INTEGER NOT NULL DEFAULT 0, cancelled_by TEXT, rate REAL, paced_until REAL, before TEXT CHECK (json_valid(before))) STRICT;
CREATE TABLE rates (
  width INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  accepted INTEGER NOT NULL DEFAULT 0,
  ok INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  h0 INTEGER NOT NULL DEFAULT 0, h1 INTEGER NOT NULL DEFAULT 0, h2 INTEGER NOT NULL DEFAULT 0, h3 INTEGER NOT NULL DEFAULT 0, h4 INTEGER NOT NULL DEFAULT 0, h5 INTEGER NOT NULL DEFAULT 0, h6 INTEGER NOT NULL DEFAULT 0, h7 INTEGER NOT NULL DEFAULT 0, h8 INTEGER NOT NULL DEFAULT 0, h9 INTEGER NOT NULL DEFAULT 0, h10 INTEGER NOT NULL DEFAULT 0, h11 INTEGER NOT NULL DEFAULT 0, h12 INTEGER NOT NULL DEFAULT 0, h13 INTEGER NOT NULL DEFAULT 0, h14 INTEGER NOT NULL DEFAULT 0, h15 INTEGER NOT NULL DEFAULT 0, h16 INTEGER NOT NULL DEFAULT 0, h17 INTEGER NOT NULL DEFAULT 0, h18 INTEGER NOT NULL DEFAULT 0, h19 INTEGER NOT NULL DEFAULT 0, h20 INTEGER NOT NULL DEFAULT 0, h21 INTEGER NOT NULL DEFAULT 0, h22 INTEGER NOT NULL DEFAULT 0, h23 INTEGER NOT NULL DEFAULT 0, h24 INTEGER NOT NULL DEFAULT 0, h25 INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (width, bucket, endpoint)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE search_stale (
  id INTEGER PRIMARY KEY,
  shelf INTEGER NOT NULL
) STRICT;
CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value)),
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
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
CREATE TABLE watchers (
  id TEXT PRIMARY KEY,
  actor TEXT NOT NULL,
  place TEXT NOT NULL,
  since INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_cause ON attempts (cause, id) WHERE cause IS NOT NULL;
CREATE UNIQUE INDEX attempts_delivery ON attempts (delivery, number);
CREATE INDEX attempts_endpoint ON attempts (endpoint, id);
CREATE INDEX attempts_endpoint_cause ON attempts (endpoint, cause, id) WHERE cause IS NOT NULL;
CREATE INDEX attempts_failed ON attempts (id) WHERE cause IS NOT NULL;
CREATE INDEX attempts_status ON attempts (status, id) WHERE cause IS NOT NULL AND status IS NOT NULL;
CREATE INDEX deliveries_cause ON deliveries (last_cause, id) WHERE last_cause IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (endpoint, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_endpoint_cause ON deliveries (endpoint, last_cause, id) WHERE last_cause IS NOT NULL;
CREATE INDEX deliveries_endpoint_state ON deliveries (endpoint, state, id);
CREATE INDEX deliveries_event ON deliveries (event);
CREATE INDEX deliveries_group ON deliveries (failure_group, id, state) WHERE failure_group IS NOT NULL AND last_cause IS NOT NULL AND state IN ('pending', 'sending', 'failed');
CREATE INDEX deliveries_operation ON deliveries (operation, id) WHERE operation IS NOT NULL;
CREATE INDEX deliveries_ordered ON deliveries (endpoint, order_key, state, id)
  WHERE order_key IS NOT NULL AND state IN ('pending', 'sending', 'failed');
CREATE INDEX deliveries_sending ON deliveries (id) WHERE state = 'sending';
CREATE INDEX deliveries_status ON deliveries (last_status, id) WHERE last_cause IS NOT NULL AND last_status IS NOT NULL;
CREATE INDEX deliveries_troubled ON deliveries (id) WHERE last_cause IS NOT NULL AND state IN ('pending', 'sending', 'failed');
CREATE UNIQUE INDEX endpoints_name ON endpoints (name) WHERE removed_at IS NULL;
CREATE INDEX endpoints_resuming ON endpoints (resume_at) WHERE resume_at IS NOT NULL;
CREATE INDEX endpoints_stopped ON endpoints (state) WHERE state IN ('tripped', 'disabled') AND removed_at IS NULL;
CREATE INDEX events_copies ON events (copy_of) WHERE copy_of IS NOT NULL;
CREATE INDEX events_type ON events (type, seq);
CREATE INDEX inbox_event ON inbox (event) WHERE event IS NOT NULL;
CREATE INDEX inbox_fate ON inbox (fate, id);
CREATE INDEX inbox_source ON inbox (source, id);
CREATE INDEX inbox_source_fate ON inbox (source, fate, id);
CREATE INDEX operations_open ON operations (id) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX sources_name ON sources (name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;
