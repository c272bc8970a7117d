"""Sources and the inbox: where webhooks come in, and all that came."""

from dataclasses import replace
from typing import Any

import pytest

from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.ids import EventId
from console.domain.inbound import Fate, InboxFilter, RequestId
from console.domain.policy import RateLimit
from console.domain.signing import Secret
from console.domain.source import Answer, SignatureOptions, Source, SourceId, SourceKind, SourceOptions
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    SECRET,
    add_endpoint,
    add_source,
    make_arrival,
    make_event,
    make_source_spec,
)
from tests.store.backends import Backend
from tests.store.conformance.secrets import shouted

ENDING = Secret(text="of the provider's own making", until_ms=NOW_MS + 1000)
UNKNOWN = SourceId("src_nobody")
OPTIONS = SourceOptions(
    tolerance_s=2.5,
    signature=SignatureOptions(
        header="X-Sig", algorithm="sha512", encoding="base64", prefix="v=", timestamp_header="T"
    ),
    type_from="body:data.type",
    id_from="header:X-Id",
    type_prefix="naïve.",
    allow=("10.0.0.0/8", "::1/128"),
    rate_limit=RateLimit(count=3, period_s=60.0),
    answer=Answer(status=200, body="☃", content_type="text/x", delay_s=0.5),
)


class SourcesConformance:
    def test_a_new_source_is_what_the_spec_says(self, store: Store, backend: Backend) -> None:
        spec = make_source_spec(
            kind=SourceKind.HMAC, secrets=(Secret(text="k3y"), ENDING), options=OPTIONS, until_ms=NOW_MS + 9
        )
        source = store.add_source(SourceId("src_1"), spec, NOW_MS)
        assert (source.id, source.spec, source.enabled) == ("src_1", spec, True)
        assert source.created_at_ms == NOW_MS
        assert backend.open(read_only=True).sources() == [source]
        assert store.find_source("src_1") == source

    def test_sources_are_listed_by_name_and_found_by_beginnings(self, store: Store) -> None:
        shop, _, _ = (add_source(store, name=name) for name in ("shop", "pay-eu", "pay-us"))
        assert [source.name for source in store.sources()] == ["pay-eu", "pay-us", "shop"]
        assert [store.find_source(ref).name for ref in ("shop", "sh", "src_sh", "pay-e")] == [
            "shop",
            "shop",
            "shop",
            "pay-eu",
        ]
        assert store.find_source(shop.id) == shop
        with pytest.raises(UnknownReferenceError, match=r"'pay' fits several sources \(pay-eu, pay-us\)"):
            store.find_source("pay")
        for reference in ("", "x", "SHOP"):
            with pytest.raises(UnknownReferenceError, match="sources list"):
                store.find_source(reference)

    def test_a_name_is_taken_until_its_source_is_removed(self, store: Store) -> None:
        first, other = add_source(store), add_source(store, name="other")
        with pytest.raises(InvalidInputError, match="taken by src_shop"):
            store.add_source(SourceId("src_2"), make_source_spec(), NOW_MS)
        with pytest.raises(InvalidInputError, match="taken"):
            store.edit_source(other.id, make_source_spec(), NOW_MS)
        with pytest.raises(InvalidInputError, match="lower-case"):
            store.add_source(SourceId("src_2"), make_source_spec(name="Shop"), NOW_MS)
        store.remove_source(first.id, NOW_MS)
        assert store.add_source(SourceId("src_2"), make_source_spec(), NOW_MS).seq not in (first.seq, other.seq)

    def test_edits_and_switches_make_a_new_version(self, store: Store) -> None:
        source = add_source(store)
        off = store.enable_source(source.id, False)
        assert (off.enabled, off.spec, off.version) == (False, source.spec, source.version + 1)
        spec = make_source_spec(name="till", kind=SourceKind.OPEN, secrets=(), options=OPTIONS)
        edited = store.edit_source(source.id, spec, NOW_MS + 1)
        assert (edited.spec, edited.enabled, edited.seq, edited.version) == (spec, False, source.seq, off.version + 1)
        assert store.enable_source(source.id, True).enabled

    def test_secrets_that_have_ended_are_not_kept(self, store: Store) -> None:
        source = add_source(store, secrets=(Secret(text=SECRET), ENDING))
        assert len(source.secrets) == 2
        assert store.edit_source(source.id, source.spec, NOW_MS + 1000).secrets == (Secret(text=SECRET),)

    def test_the_secrets_of_sources_are_rewritten_too(self, store: Store) -> None:
        sealed = Secret(text="sealed:1:00000000:AAAA")
        source = add_source(store, secrets=(Secret(text="k3y"), sealed, ENDING))
        add_endpoint(store)
        before = store.intake_version()
        store.rewrite_secrets(shouted, NOW_MS + 1000)
        (after,) = store.sources()
        assert [secret.text for secret in after.secrets] == [
            f"{source.id}|signing secret|k3y",
            f"{source.id}|signing secret|{sealed.text}",
        ]
        assert (after.version, store.intake_version() > before) == (source.version + 1, True)

    def test_a_removed_source_keeps_what_came_in_and_no_secret(self, store: Store) -> None:
        source = add_source(store)
        store.record_arrivals([make_arrival(source)])
        store.remove_source(source.id, NOW_MS)
        assert store.sources() == []

        def refuse(owner: str, field: str, text: str) -> str:
            raise AssertionError(f"{owner} still has its {field}")

        store.rewrite_secrets(refuse, NOW_MS)
        (row,) = store.arrivals(InboxFilter(source=source.id), limit=9)
        assert row.source_name == "shop"

    def test_what_is_not_there_cannot_be_changed(self, store: Store, backend: Backend) -> None:
        gone = add_source(store)
        store.remove_source(gone.id, NOW_MS)
        before = backend.contents()
        for id_ in (gone.id, UNKNOWN):
            with pytest.raises(UnknownReferenceError):
                store.edit_source(id_, make_source_spec(name="x"), NOW_MS)
            with pytest.raises(UnknownReferenceError):
                store.enable_source(id_, False)
            with pytest.raises(UnknownReferenceError):
                store.remove_source(id_, NOW_MS)
        assert backend.contents() == before

    def test_each_change_moves_the_version_of_intake(self, store: Store) -> None:
        seen = [store.intake_version()]

        def moved() -> bool:
            seen.append(store.intake_version())
            return seen[-1] > seen[-2]

        source = add_source(store)
        assert moved()
        store.edit_source(source.id, make_source_spec(name="x"), NOW_MS)
        assert moved()
        store.enable_source(source.id, False)
        assert moved()
        store.record_arrivals([make_arrival(source)])
        assert not moved(), "what comes in changes nothing of it"
        store.remove_source(source.id, NOW_MS)
        assert moved()

    def test_a_store_has_a_name_of_its_own_and_says_where_it_listens(self, store: Store, backend: Backend) -> None:
        assert len(store.instance()) == 16
        assert backend.open(read_only=True).instance() == store.instance()
        assert store.listening() == ()
        store.set_listening(("http://127.0.0.1:1", "http://[::1]:2"), NOW_MS)
        assert store.listening() == ("http://127.0.0.1:1", "http://[::1]:2")
        store.set_listening((), NOW_MS)
        assert store.listening() == ()


def fill(store: Store) -> tuple[Source, Source]:
    """Twelve requests a second apart to two sources, of three fates; every fourth is an event."""
    a, b = add_source(store, name="a"), add_source(store, name="b")
    for i in range(12):
        fate = (Fate.ACCEPTED, Fate.REJECTED, Fate.FLAGGED)[i % 3]
        event = None if i % 4 else store.accept([make_event(id=EventId(f"evt_{i}"))], NOW_MS)[0].id
        at_ms = NOW_MS + i * 1000
        store.record_arrivals([make_arrival(b if i % 2 else a, fate=fate, event_id=event, received_at_ms=at_ms)])
    return a, b


def ids(rows: list[Any]) -> list[int]:
    return [row.id for row in rows]


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ({"source": "src_a"}, [11, 9, 7, 5, 3, 1]),
    ({"fate": Fate.REJECTED}, [11, 8, 5, 2]),
    ({"source": "src_b", "fate": Fate.REJECTED}, [8, 2]),
    ({"event_id": "evt_4"}, [5]),
    ({"event_id": "evt_4", "source": "src_b"}, []),
    ({"event_id": "evt_none"}, []),
    ({"source": "src_none"}, []),
    ({"since_ms": NOW_MS + 9000}, [12, 11, 10]),
    ({"until_ms": NOW_MS + 2000}, [2, 1]),
    ({"since_ms": NOW_MS + 2500, "until_ms": NOW_MS + 7000, "source": "src_a"}, [7, 5]),
    ({"fate": Fate.ANSWERED}, []),
]


class InboxConformance:
    def test_a_request_is_kept_as_it_came(self, store: Store, backend: Backend) -> None:
        source = add_source(store)
        (event,) = store.accept([make_event(type="a.b")], NOW_MS)
        arrival = make_arrival(
            source, fate=Fate.FLAGGED, reason="payload: naïve \x1b[2J", event_id=event.id, status=202, took_ms=1.25,
            method="PUT", path="/x/☃", query="a=%00&b", remote_address="2001:db8::1",
            headers=(("content-TYPE", "text/x; caf\xe9"), ("x", "1"), ("X", "")), body=bytes(range(256)),
        )  # fmt: skip
        (id_,) = store.record_arrivals([arrival])
        found = backend.open(read_only=True).arrival(id_)
        assert (found.headers, found.body) == (arrival.request.headers, arrival.request.body)
        row = found.row
        assert (row.id, row.source, row.source_name) == (id_, source.id, "shop")
        assert (row.method, row.path, row.query) == ("PUT", "/x/☃", "a=%00&b")
        assert (row.fate, row.reason, row.event_id, row.event_type) == (
            "flagged", "payload: naïve \x1b[2J", event.id, "a.b",
        )  # fmt: skip
        assert (row.status, row.took_ms, row.size_bytes) == (202, 1.25, 256)
        assert (row.content_type, row.remote_address, row.received_at_ms) == (
            "text/x; caf\xe9", "2001:db8::1", NOW_MS,
        )  # fmt: skip
        assert store.arrivals(InboxFilter(), limit=9) == [row]

    def test_a_hostile_text_does_not_keep_the_others_from_the_inbox(self, store: Store) -> None:
        source = add_source(store)
        store.record_arrivals([make_arrival(source, path="/\ud800"), make_arrival(source, reason="\udfff")])
        newest, oldest = store.arrivals(InboxFilter(), limit=9)
        assert (oldest.path, newest.reason) == ("/\\ud800", "\\udfff")

    def test_numbers_go_on_in_order_of_arrival(self, store: Store) -> None:
        source = add_source(store)
        assert store.record_arrivals([]) == []
        first = store.record_arrivals([make_arrival(source) for _ in range(150)])
        assert first == list(range(1, 151))
        assert store.record_arrivals([make_arrival(source), make_arrival(source)]) == [151, 152]
        assert ids(store.arrivals(InboxFilter(), limit=3)) == [152, 151, 150]

    def test_a_source_removed_meanwhile_still_gets_its_request(self, store: Store, backend: Backend) -> None:
        source = add_source(store)
        store.remove_source(source.id, NOW_MS)
        assert store.record_arrivals([make_arrival(source)]) == [1]
        before = backend.contents()
        with pytest.raises(UnknownReferenceError, match="src_shop9"):
            store.record_arrivals([make_arrival(source), make_arrival(replace(source, id=SourceId("src_shop9")))])
        assert backend.contents() == before

    @pytest.mark.parametrize(("where", "wanted"), FILTERS)
    def test_each_filter_finds_its_own_page_by_page(
        self, store: Store, where: dict[str, Any], wanted: list[int]
    ) -> None:
        fill(store)
        chosen = InboxFilter(**where)
        assert ids(store.arrivals(chosen, limit=100)) == wanted
        pages: list[int] = []
        while page := store.arrivals(chosen, limit=2, before=RequestId(pages[-1]) if pages else None):
            pages += ids(page)
        assert pages == wanted
        assert ids(store.arrivals_after(RequestId(0), chosen, limit=100)) == wanted[::-1]
        assert ids(store.arrivals_after(RequestId(4), chosen, limit=2)) == [i for i in wanted[::-1] if i > 4][:2]

    def test_what_came_in_is_counted_by_source_and_fate(self, store: Store) -> None:
        a, b = fill(store)
        gone = add_source(store, name="gone")
        store.record_arrivals([make_arrival(gone, received_at_ms=NOW_MS + 12_000)])
        store.remove_source(gone.id, NOW_MS)
        everything = dict.fromkeys(("accepted", "rejected", "flagged"), 2)
        assert store.count_arrivals(since_ms=0) == {a.id: everything, b.id: everything}
        assert store.count_arrivals(since_ms=NOW_MS + 10_000) == {a.id: {"rejected": 1}, b.id: {"flagged": 1}}
        assert store.count_arrivals(since_ms=NOW_MS + 13_000) == {}
        later = [make_arrival(a, received_at_ms=NOW_MS + 100_000 + i) for i in range(3)]
        store.record_arrivals(later)
        assert store.count_arrivals(since_ms=NOW_MS + 50_000) == {a.id: {"captured": 3}}

    def test_one_that_is_not_there(self, store: Store) -> None:
        with pytest.raises(UnknownReferenceError, match="no request req_00001k: see `webhook-console inbox list`"):
            store.arrival(RequestId(51))
