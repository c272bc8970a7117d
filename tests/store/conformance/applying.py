from console.store.protocol import Store
from tests.factories import NOW_MS


class ApplyingConformance:
    def test_what_files_of_a_label_say_is_kept_by_label(self, store: Store) -> None:
        assert store.applied("webhooks.toml") == frozenset()
        store.set_applied("webhooks.toml", frozenset({"endpoint crm", 'endpoint "quoted" é'}), NOW_MS)
        store.set_applied("other.toml", frozenset({"schema invoice.*"}), NOW_MS)
        assert store.applied("webhooks.toml") == {"endpoint crm", 'endpoint "quoted" é'}
        store.set_applied("webhooks.toml", frozenset(), NOW_MS + 1)
        assert store.applied("webhooks.toml") == frozenset()
        assert store.applied("other.toml") == {"schema invoice.*"}
