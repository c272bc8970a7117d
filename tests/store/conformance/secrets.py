"""Secrets as a store keeps them: until they end, and until their endpoint is removed."""

import pytest

from console.domain.endpoint import EndpointState
from console.domain.policy import DeliveryPolicy
from console.domain.signing import Secret
from console.store.protocol import Store
from tests.factories import NOW_MS, SECRET, add_endpoint, claim_all, make_event, make_spec, start_engine
from tests.store.backends import Backend

ENDING = Secret(text="whsec_" + "QUFB" * 10 + "QUE=", until_ms=NOW_MS + 1000)
KEPT = Secret(text="sealed:1:00000000:AAAA", public_key="whpk_x")
HEADERS = (("X-Team", "ops"), ("X-Api-Key", "k3y"))


def shouted(owner: str, field: str, text: str) -> str:
    return f"{owner}|{field}|{text}"


class SecretsConformance:
    def test_what_there_is_to_say_of_a_secret_is_kept(self, store: Store, backend: Backend) -> None:
        secrets = (Secret(text=SECRET), KEPT, ENDING)
        endpoint = add_endpoint(store, secrets=secrets)
        assert endpoint.secrets == secrets
        assert backend.open(read_only=True).endpoints() == [endpoint]
        assert endpoint.active_secrets(NOW_MS + 999) == secrets
        assert endpoint.active_secrets(NOW_MS + 1000) == (Secret(text=SECRET), KEPT)

    def test_a_secret_that_has_ended_is_dropped_by_the_next_write(self, store: Store) -> None:
        for write in ("edit", "state"):
            endpoint = add_endpoint(store, name=write, secrets=(SECRET, ENDING))
            for now_ms, kept in ((NOW_MS + 999, 2), (NOW_MS + 1000, 1)):
                if write == "edit":
                    spec = make_spec(name=write, secrets=endpoint.secrets, url=f"http://127.0.0.1:9/{now_ms}")
                    after = store.edit_endpoint(endpoint.id, spec, now_ms)
                else:
                    state = EndpointState.PAUSED if kept == 2 else EndpointState.ACTIVE
                    after = store.set_endpoint_state(endpoint.id, state, None, now_ms)
                assert len(after.secrets) == kept
                assert store.find_endpoint(endpoint.id) == after

    def test_every_secret_is_rewritten_where_it_is_said(self, store: Store) -> None:
        store.set_policy_defaults(DeliveryPolicy(authorization="Bearer d", timeout_s=3.0), NOW_MS)
        policy = {"authorization": "Bearer d", "timeout_s": 3.0}
        follows = add_endpoint(store, name="a", secrets=(SECRET, ENDING), policy=policy)
        own = add_endpoint(store, name="b", policy={"authorization": "Bearer o", "headers": HEADERS, "timeout_s": 3.0})
        nudge = store.newest_nudge()
        store.rewrite_secrets(shouted, NOW_MS + 1000)
        a, b = store.endpoints()
        assert a.secrets == (Secret(text=f"{follows.id}|signing secret|{SECRET}"),), "what has ended is dropped"
        assert a.policy.authorization == "defaults|authorization|Bearer d"
        assert b.policy.authorization == f"{own.id}|authorization|Bearer o"
        assert b.policy.headers == (("X-Team", "ops"), ("X-Api-Key", f"{own.id}|header x-api-key|k3y"))
        assert (a.own, b.own) == (follows.own, own.own)
        assert (a.policy.timeout_s, store.policy_defaults().timeout_s) == (3.0, 3.0)
        assert store.policy_defaults().authorization == "defaults|authorization|Bearer d"
        assert (a.version, b.version) == (follows.version + 1, own.version + 1)
        assert store.nudged(nudge).settings == {a.seq, b.seq}

    def test_a_rewrite_that_fails_changes_nothing(self, store: Store) -> None:
        add_endpoint(store, name="a")
        add_endpoint(store, name="b")
        before = store.endpoints()
        seen: list[str] = []

        def fail_late(owner: str, field: str, text: str) -> str:
            seen.append(owner)
            if len(seen) == 2:
                raise ValueError(owner)
            return "x"

        with pytest.raises(ValueError, match="ep_"):
            store.rewrite_secrets(fail_late, NOW_MS)
        assert len(seen) == 2
        assert store.endpoints() == before

    def test_a_removed_endpoint_keeps_its_history_and_no_secret(self, store: Store) -> None:
        endpoint = add_endpoint(store, policy={"headers": HEADERS, "schedule_s": (0.0, 5.0)})
        store.accept([make_event()], NOW_MS)
        (claimed,) = claim_all(store, start_engine(store), endpoint)
        store.remove_endpoint(endpoint.id, NOW_MS)

        def refuse(owner: str, field: str, text: str) -> str:
            raise AssertionError(f"{owner} still has its {field}")

        store.rewrite_secrets(refuse, NOW_MS)
        delivery = store.delivery(claimed.delivery_id)
        assert (delivery.endpoint_name, delivery.schedule_length) == (endpoint.name, 2)

    def test_the_log_is_emptied_when_nobody_else_is_in_it(self, store: Store) -> None:
        add_endpoint(store)
        assert store.empty_log()
