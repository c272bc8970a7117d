"""`schemas`, and what they do to what is sent."""

from pathlib import Path

import pytest

from console.store import Store
from tests.cli.support import CommandLine

AMOUNT = '{"properties": {"lines": {"items": {"properties": {"amount": {"type": "integer"}}}}}}'
BAD = '{"lines": [{"amount": 1}, {"amount": "x"}]}'
WHY = 'lines[1].amount: "x" is not of type "integer" (schema invoice.* v1)'


@pytest.fixture
def schema(tmp_path: Path) -> str:
    file = tmp_path / "invoice.json"
    file.write_text(AMOUNT)
    return str(file)


def test_adding_listing_showing_and_retiring(console: CommandLine, store: Store, schema: str) -> None:
    assert "every payload is let in" in console("schemas", "list").err
    assert "invoice.* v1  added: what does not match is refused" in console("schemas", "add", "invoice.*", schema).out
    (added,) = console("schemas", "add", "invoice.*", schema, "--mode", "flag", "--json").records
    assert (added["version"], added["mode"], added["retired"]) == (2, "flag", False)
    assert "flag" in console("schemas", "list").out
    assert [one["version"] for one in console("schemas", "list", "--retired", "--json").records] == [2, 1]
    assert '"integer"' in console("schemas", "show", "invoice.*").out
    (shown,) = console("schemas", "show", "invoice.*", "--version", "1", "--json").records
    assert shown["schema"]["properties"]["lines"]
    assert console("schemas", "retire", "invoice.*").out == "invoice.* v2: retired\n"
    assert console("schemas", "list", "--json").records == []
    assert "no schema for 'invoice.*'" in console("schemas", "retire", "invoice.*").err
    assert [one["kind"] for one in console("operations", "list", "--json").records] == [
        "schema_retire", "schema_add", "schema_add",
    ]  # fmt: skip


def test_what_is_no_schema_is_told_with_its_place(console: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"properties": {"a": {"$ref": "http://example.com/a.json"}}}')
    result = console("schemas", "add", "*", str(tmp_path / "x.json"))
    assert result.code == 1
    assert "schema at properties.a.$ref" in result.err
    assert result.err.count("\n") == 1


def test_testing_accepts_nothing(console: CommandLine, store: Store, schema: str) -> None:
    console("schemas", "add", "invoice.*", schema)
    assert (
        console("schemas", "test", "order.new", "--data", BAD).out == "no schema counts for order.new: it is let in\n"
    )
    assert console("schemas", "test", "invoice.paid", "--data", "{}").out == "matches invoice.* v1\n"
    result = console("schemas", "test", "invoice.paid", "--data", BAD)
    assert (result.code, result.out) == (1, f"refused: {WHY}\n")
    result = console("schemas", "test", "invoice.paid", "--data", BAD, "--json")
    assert result.code == 1
    assert result.records[0]["flaw"]["path"] == "lines[1].amount"
    assert console("schemas", "test", "invoice.paid").code == 2
    assert console("events", "list", "--json").records == []


def test_what_does_not_match_is_not_sent(console: CommandLine, store: Store, schema: str) -> None:
    console("schemas", "add", "invoice.*", schema)
    result = console("send", "invoice.paid", "--data", BAD)
    assert result.code == 1
    assert f"invoice.paid does not match its schema: {WHY}" in result.err
    assert console("events", "list", "--json").records == []


def test_lines_that_do_not_match_are_told_and_the_rest_goes_on(
    console: CommandLine, store: Store, schema: str, tmp_path: Path
) -> None:
    console("schemas", "add", "invoice.*", schema)
    lines = [f'{{"type": "{type_}", "data": {BAD}}}' for type_ in ("order.new", "invoice.paid", "order.new")]
    (tmp_path / "events.ndjson").write_text("\n".join(lines))
    result = console("send", "--ndjson", str(tmp_path / "events.ndjson"), "--json")
    assert result.code == 1
    bad, last = result.records
    assert bad == {"line": 2, "error": WHY}
    assert (last["accepted"], last["bad"]) == (2, 1)


def test_what_is_flagged_is_taken_and_shows_where(console: CommandLine, store: Store, schema: str) -> None:
    console("schemas", "add", "invoice.*", schema, "--mode", "flag")
    assert f"flagged: it does not match its schema: {WHY}" in console("send", "invoice.paid", "--data", BAD).err
    (sent,) = console("send", "invoice.paid", "--data", BAD, "--json").records
    assert sent["flaw"] == WHY
    assert WHY in " ".join(console("events", "show", sent["id"]).out.split())
    (shown,) = console("events", "show", sent["id"], "--json").records
    assert shown["flaw"]["path"] == "lines[1].amount"
    assert console("schemas", "test", "invoice.paid", "--event", sent["id"]).out == f"taken and flagged: {WHY}\n"
