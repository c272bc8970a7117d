"""Which things a configuration file says, so that what it says no longer can be told from what it never said."""

import msgspec

from console.store.sqlite.base import Queries

_KEY = "applied:"
_READ = "SELECT value FROM settings WHERE key = ?"
_SET = """
INSERT INTO settings (key, value, updated_at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""

_decode = msgspec.json.Decoder(frozenset[str]).decode
_encode = msgspec.json.Encoder().encode


class ApplyingQueries(Queries):
    def applied(self, label: str) -> frozenset[str]:
        text = self._connection.value(_READ, (_KEY + label,))
        return frozenset() if text is None else _decode(text)

    def set_applied(self, label: str, things: frozenset[str], now_ms: int) -> None:
        with self.transaction():
            self._connection.run(_SET, (_KEY + label, _encode(sorted(things)).decode(), now_ms))
