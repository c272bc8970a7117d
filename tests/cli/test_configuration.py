"""`apply` and `export` on the command line."""

from pathlib import Path

import pytest

from console.store import Store
from tests.cli.support import SECRET, CommandLine, make_endpoint


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "webhooks.toml"
    file.write_text('[[endpoints]]\nname = "crm"\nurl = "https://example.com/crm"\ntypes = "invoice.*"\n')
    return file


def test_a_dry_run_needs_no_store_and_makes_none(console: CommandLine, file: Path) -> None:
    tried = console("apply", str(file), "--dry-run")
    assert (tried.code, tried.err) == (0, "")
    assert tried.out == "+ endpoint crm: url https://example.com/crm, types invoice.*\nwould be: 1 added\n"
    assert not console.store_path.exists()
    assert console("apply", str(file), "--dry-run", "--exit-code").code == 3
    assert "belongs to --dry-run" in console("apply", str(file), "--exit-code").err


def test_applying_and_applying_again(console: CommandLine, store: Store, file: Path) -> None:
    made = console("apply", str(file))
    assert (made.code, made.out.splitlines()[-1]) == (0, "1 added")
    assert "a signing secret was made: 'endpoints reveal-secret crm' shows it" in made.err
    again = console("apply", str(file))
    assert (again.code, again.out, again.err) == (0, "nothing to do\n", "")
    assert console("apply", str(file), "--dry-run", "--exit-code").code == 0
    assert [o["kind"] for o in console("operations", "list", "--json").records] == ["endpoint_add", "config_apply"]


def test_as_json(console: CommandLine, file: Path) -> None:
    file.write_text(file.read_text() + f'secret = "{SECRET}"\nbearer = "t0ken"\n')
    result = console("apply", str(file), "--json")
    record = result.record
    assert (record["label"], record["dry_run"], record["stays"]) == ("webhooks.toml", False, [])
    assert [(c["act"], c["thing"], c["name"]) for c in record["changes"]] == [("add", "endpoint", "crm")]
    assert {"part": "url", "before": None, "after": "https://example.com/crm", "hidden": False} in (
        record["changes"][0]["parts"]
    )
    assert len(record["warnings"]) == 2
    assert "t0ken" not in result.out + result.err
    assert SECRET not in result.out + result.err


def test_what_is_wrong_is_one_line_and_changes_nothing(console: CommandLine, store: Store, file: Path) -> None:
    file.write_text(file.read_text() + "rate_limt = 5\n")
    wrong = console("apply", str(file))
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err == f"webhook-console: {file}:5: endpoints[0].rate_limt: unknown; did you mean rate_limit\n"
    assert store.endpoints() == []
    missing = console("apply", str(file.with_name("none.toml")))
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "none.toml: No such file" in missing.err


def test_what_a_file_says_no_longer_stays_until_it_is_pruned(console: CommandLine, store: Store, file: Path) -> None:
    console("apply", str(file))
    file.write_text("")
    kept = console("apply", str(file))
    assert (kept.out, kept.err) == (
        "nothing to do\n", "endpoint crm: is no longer in the file, and stays (--prune removes it)\n"
    )  # fmt: skip
    assert console("apply", str(file), "--label", "other", "--prune").out == "nothing to do\n"
    assert console("apply", str(file), "--prune").out == "- endpoint crm\n1 removed\n"
    assert store.endpoints() == []


def test_an_export_applies(console: CommandLine, store: Store, tmp_path: Path) -> None:
    make_endpoint(store, policy={"authorization": "Bearer t0ken", "timeout_s": 3.0})
    make_endpoint(store, "hook", url="https://example.com/hook?token=s3cret&a=1")
    text = console("export").out
    assert "t0ken" not in text
    assert "s3cret" not in text
    assert 'timeout = "3s"' in text
    assert console("export", "--json").record["toml"].strip() == text.strip()
    file = tmp_path / "exported.toml"
    file.write_text(text)
    assert console("apply", str(file)).out == "nothing to do\n"
