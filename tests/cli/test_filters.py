"""`--filter` on every list and act, what is wrong in it, and filters that are saved."""

import stat
from pathlib import Path
from typing import Any

import pytest

from console.cli.invocation import Invocation
from console.cli.main import run
from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.saved_filters import SavedFilters
from console.store import Store
from tests.cli.support import BROKEN, OK, CommandLine, EngineHand, Result, make_endpoint, make_events
from tests.cli.test_tail import follower


class WithHome(CommandLine):
    """Command lines of a user who has a folder for what is saved."""

    def __init__(self, store: Path, captured: Any, config: Path) -> None:
        super().__init__(store, captured)
        self.environ = {
            "WEBHOOK_CONSOLE_STORE": str(store), "TERM": "xterm", "XDG_CONFIG_HOME": str(config)
        }  # fmt: skip

    def __call__(self, *arguments: str) -> Result:
        self._captured()
        code = run(arguments, Invocation(environ=self.environ))
        out, err = self._captured()
        return Result(code=code, out=out, err=err)


@pytest.fixture
def home(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WithHome:
    """Three failed deliveries to billing (503), two delivered ones to crm."""
    billing, crm = make_endpoint(store, "billing", types=("invoice.*",)), make_endpoint(store, "crm", types=("lead",))
    make_events(store, 3, "invoice.paid")
    make_events(store, 2, "lead")
    hand = EngineHand(store)
    hand.run(billing, BROKEN)
    hand.run(crm, OK)
    return WithHome(store.path, capsys.readouterr, tmp_path / "config")


def found(home: WithHome, command: str, *flags: str) -> int:
    result = home(*command.split(), "--json", *flags)
    assert result.code == 0, result.err
    return len(result.records)


def test_lists_take_a_filter_beside_their_flags(home: WithHome) -> None:
    assert found(home, "deliveries list", "--filter", "state:failed status:5xx cause:http_5xx billing") == 3
    assert found(home, "deliveries list", "--filter", "-endpoint:billing") == 2
    assert found(home, "deliveries list", "--endpoint", "crm", "--filter", "state:delivered") == 2
    assert found(home, "deliveries list", "--state", "failed", "--filter", "attempts:>1") == 0
    assert found(home, "attempts list", "--filter", "state:failed type:invoice.*") == 3
    assert found(home, "attempts list", "--failed", "--filter", "status:5xx") == 3
    assert found(home, "events list", "--filter", "type:lead since:1h") == 2


@pytest.mark.parametrize(
    ("command", "text", "place"),
    [
        ("deliveries list", "crm cuase:dns", "    ^^^^^^"),
        ("deliveries retry", "endpoint:biling", "         ^^^^^^"),
        ("attempts list", '"群" group:1', "     ^^^^^^^"),
        ("events list", "dns", "^^^"),
        ("filters save x", "state:blue", "      ^^^^"),
    ],
)
def test_what_is_wrong_is_pointed_at(home: WithHome, command: str, text: str, place: str) -> None:
    option = () if command.startswith("filters") else ("--filter",)
    result = home(*command.split(), *option, text)
    assert (result.code, result.out) == (2, "")
    said, line, carets = result.err.splitlines()
    assert said.startswith("webhook-console: filter: ")
    assert (line, carets) == (f"  {text}", f"  {place}")


def test_what_a_terminal_would_obey_is_not_printed(home: WithHome) -> None:
    result = home("deliveries", "list", "--filter", "cause:\x1b]52;c;aGk=\x07")
    assert result.code == 2
    assert result.err.isprintable() or "\x1b" not in result.err


def test_acts_take_a_filter(home: WithHome, store: Store) -> None:
    def states() -> list[str]:
        return sorted(d.state for d in store.deliveries(DeliveryFilter(), limit=10))

    assert home("deliveries", "retry", "--filter", "billing", "--dry-run").out.startswith("would be retried: 3")
    wrong = home("deliveries", "cancel", "--filter", "state:delivered")
    assert wrong.code == 2
    assert "only pending, failed deliveries can be cancelled" in wrong.err
    assert home("deliveries", "retry", "--filter", "status:503 -endpoint:crm").code == 0
    assert states() == ["delivered"] * 2 + ["pending"] * 3
    assert home("deliveries", "skip", "billing", "--filter", "attempts:>5").code == 0
    assert states().count("pending") == 3
    assert home("deliveries", "skip", "billing", "--filter", "attempts:1").code == 0
    assert states().count(DeliveryState.CANCELLED) == 3


def test_the_tail_takes_a_filter(home: WithHome, store: Store) -> None:
    from console.domain.query import parse_query

    names = {endpoint.id: endpoint.name for endpoint in store.endpoints()}
    hand = EngineHand(store)
    with follower(home, parse_query("status:5xx billing", now_ms=0).attempts(names)) as tail:
        assert list(tail.poll()) == []
        make_events(store, 2, "invoice.paid")
        make_events(store, 1, "lead")
        first, second = hand.claim(store.find_endpoint("billing"))
        hand.complete([first], OK)
        hand.complete([second], BROKEN)
        hand.run(store.find_endpoint("crm"), BROKEN)
        assert [attempt.id for attempt in tail.poll()] == [second.attempt_id]


def test_filters_are_saved_used_and_forgotten(home: WithHome) -> None:
    assert "no filter is saved" in home("filters", "list").err
    assert home("filters", "save", "ours", "endpoint:billing").out == "@ours is saved\n"
    assert home("filters", "save", "bad5", "@ours status:5xx").code == 0
    assert home("filters", "save", "ours", "billing").out == "@ours is replaced\n"
    assert home("filters", "list", "--json").records == [
        {"name": "ours", "filter": "billing"}, {"name": "bad5", "filter": "@ours status:5xx"}
    ]  # fmt: skip
    assert found(home, "deliveries list", "--filter", "@bad5 state:failed") == 3
    circle = home("filters", "save", "ours", "@bad5")
    assert (circle.code, "contains itself" in circle.err) == (2, True)
    assert home("filters", "save", "no/name", "crm").code == 1
    assert home("filters", "remove", "bda5").code == 1
    assert home("filters", "remove", "bad5").code == 0
    assert "@bad5" not in home("filters", "list").out
    path = Path(home.environ["XDG_CONFIG_HOME"]) / "webhook-console" / "filters.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["filters.toml"]


def test_what_a_person_wrote_in_the_file_stays(home: WithHome) -> None:
    saved = SavedFilters(home.environ)
    saved.path.parent.mkdir(parents=True)
    saved.path.write_text('# mine\na = \'state:failed\'\n\n"b" = "crm" # hers\n', "utf-8")
    saved.save("b", 'text:"é \\" \x7f"')
    saved.save("c", "dns")
    text = saved.path.read_text("utf-8")
    assert text.startswith("# mine\na = 'state:failed'\n\nb = ")
    assert saved.read() == {"a": "state:failed", "b": 'text:"é \\" \x7f"', "c": "dns"}
    saved.path.write_text('a = """\nstate:failed\nb = 1"""\n', "utf-8")
    saved.save("d", "crm")
    assert saved.read() == {"a": "state:failed\nb = 1", "d": "crm"}
    saved.path.write_text("a = 1\n", "utf-8")
    result = home("deliveries", "list", "--filter", "@a")
    assert (result.code, f"{saved.path}:1: `a` must be a filter" in result.err) == (1, True)
