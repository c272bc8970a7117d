"""`send`, one event and many."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.event import PAYLOAD_CAP_BYTES
from console.domain.ids import EventId
from console.operations.ndjson import LINE_CAP_BYTES, BadLine, GoodLine, LineReader
from console.store import Store
from tests.cli.support import CommandLine, make_endpoint


def test_send_keeps_the_payload_byte_for_byte(console: CommandLine, store: Store) -> None:
    make_endpoint(store)
    payload = '{"b":1.10,  "a":"é\\u0000", "B":2, "big":1e999}'
    sent = console("send", "invoice.paid", "--data", f"  {payload}\n", "--json")
    assert (sent.code, sent.err) == (0, "")
    assert sent.record == {
        "id": sent.record["id"],
        "type": "invoice.paid",
        "duplicate": False,
        "deliveries": 1,
        "engine_alive": False,
        "flaw": None,
    }
    assert store.event(EventId(sent.record["id"])).payload == payload.encode()


def test_a_key_that_comes_twice_is_refused_with_its_place(console: CommandLine, tmp_path: Path) -> None:
    refused = console("send", "invoice.paid", "--data", '{"a": {"b": 1, "b": 2}}')
    assert refused.code == 2
    assert "payload is ambiguous: key a.b comes twice" in refused.err
    lines = ['{"type": "a", "data": {"b": [{"c": 1, "c": 2}]}}', '{"type": "a", "data": 1, "type": "b"}']
    (tmp_path / "twice.ndjson").write_text("\n".join(lines))
    result = console("send", "--ndjson", str(tmp_path / "twice.ndjson"), "--json")
    assert [one["error"] for one in result.records[:2]] == [
        "ambiguous: key data.b[0].c comes twice",
        "ambiguous: key type comes twice",
    ]
    assert result.records[-1]["accepted"] == 0


def test_send_defaults_hints_and_duplicates(console: CommandLine, store: Store) -> None:
    first = console("send", "invoice.paid", "--id", "inv-1")
    assert first.out == "inv-1  accepted, owed to 0 endpoints\n"
    assert "no endpoint wants invoice.paid" in first.err
    assert store.event(EventId("inv-1")).payload == b"{}"
    again = console("send", "invoice.paid", "--id", "inv-1", "--data", "[]")
    assert again.code == 0
    assert "duplicate" in again.out
    assert store.event(EventId("inv-1")).payload == b"{}"
    make_endpoint(store)
    assert "no engine is running" in console("send", "invoice.paid").err


def test_send_reads_a_file(console: CommandLine, store: Store, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(b'\n{"a": 1}\n')
    sent = console("send", "a.b", "--data", f"@{tmp_path / 'p.json'}", "--json")
    assert store.event(EventId(sent.record["id"])).payload == b'{"a": 1}'


@pytest.mark.parametrize(
    "data",
    ["", "  ", "nope", "{", "NaN", "[Infinity]", "01", "{} {}", '"\\ud800"', "[" * 100_000, "\ufeff{}", '"\udcff"',
     "[" + "1," * (PAYLOAD_CAP_BYTES // 2) + "1]", "@/nonexistent/file"],
)  # fmt: skip
def test_send_refuses_what_is_no_json(console: CommandLine, data: str) -> None:
    refused = console("send", "a.b", "--data", data)
    assert refused.code == 2
    assert refused.out == ""
    assert refused.err.startswith("webhook-console: --data")
    assert refused.err.count("\n") == 1
    assert not console.store_path.exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["a..b"], ["a b"], ["a", "--id", "x.y"], ["a", "--id", ""], ["a", "--ndjson", "/dev/null"], ["--data", "{}"]],
)
def test_send_usage(console: CommandLine, arguments: list[str]) -> None:
    refused = console("send", *arguments)
    assert refused.code == 2
    assert refused.err.count("\n") == 1


def test_ndjson_goes_on_after_bad_lines(console: CommandLine, store: Store, tmp_path: Path) -> None:
    make_endpoint(store, types=("invoice.*",))
    lines = [
        b'{"type":"invoice.paid","data": {"n" :1},"id":"one"}',
        b"nope",
        b"",
        b'{"type":"a b","data":1}',
        b'{"type":"invoice.paid","data":2,"id":"one"}',
        b'{"data":1}',
        b'{"type":"x","data":"\xff"}',
        b'{"type":"x","data":1,"extra":2}',
        b'\t{"type":"x","data":[1, 2]}\r',
    ]
    (tmp_path / "e").write_bytes(b"\n".join(lines))
    human = console("send", "--ndjson", str(tmp_path / "e"))
    assert human.code == 1
    assert [line.split(": ")[1] for line in human.err.splitlines()[:5]] == [f"line {n}" for n in (2, 4, 6, 7, 8)]
    assert human.out == (
        "2 accepted, owed as 1 deliveries, 1 duplicates (accepted before, nothing changed), 5 bad lines\n"
    )
    assert store.event(EventId("one")).payload == b'{"n" :1}'
    again = console("send", "--ndjson", str(tmp_path / "e"), "--json")
    *bad, summary = again.records
    assert [record["line"] for record in bad] == [2, 4, 6, 7, 8]
    assert all(record["error"] for record in bad)
    assert (summary["accepted"], summary["duplicates"], summary["bad"], summary["lines"]) == (1, 2, 5, 9)


def test_ndjson_many(console: CommandLine, store: Store, tmp_path: Path) -> None:
    make_endpoint(store)
    (tmp_path / "e").write_text("".join(f'{{"type":"a","data":{n}}}\n' for n in range(2_500)))
    summary = console("send", "--json", "--ndjson", str(tmp_path / "e")).record
    assert (summary["accepted"], summary["deliveries"], summary["bad"]) == (2_500, 2_500, 0)
    assert sum(store.gauges()[e.id].pending for e in store.endpoints()) == 2_500


@given(st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 9)), max_size=20), st.data())
def test_any_bytes_are_read_and_good_lines_are_kept(parts: list[bytes | int], data: st.DataObject) -> None:
    lines = [
        part.replace(b"\n", b"") if isinstance(part, bytes) else b'{"type":"n.%d","data":{"v": %d}}' % (part, part)
        for part in parts
    ]
    stream = b"\n".join(lines)
    reader, found = LineReader(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    found += reader.finish()
    good = {line.number: line.event for line in found if isinstance(line, GoodLine)}
    for number, part in enumerate(parts, start=1):
        if isinstance(part, int):
            assert good[number].type == f"n.{part}"
            assert good[number].payload == b'{"v": %d}' % part
    numbers = [line.number for line in found]
    assert numbers == sorted(set(numbers))


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists))
def test_any_json_is_kept_as_it_stands(value: object) -> None:
    try:
        data = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    (line,) = LineReader().feed(b'{"type":"a","data":' + data + b"}\n")
    assert isinstance(line, GoodLine)
    assert line.event.payload == data


def test_a_line_that_never_ends_is_not_kept() -> None:
    reader = LineReader()
    for _ in range(40):
        assert reader.feed(b"x" * 65_536) == []
    assert sum(len(part) for part in reader._kept) <= LINE_CAP_BYTES
    bad, good = reader.feed(b'\n{"type":"a","data":1}\n')
    assert isinstance(bad, BadLine)
    assert "at most" in bad.reason
    assert isinstance(good, GoodLine)
    assert good.number == 2
