"""The endpoint form at work: what is typed, what is stored, what is shown once, and what another does meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual import events
from textual.command import CommandPalette
from textual.pilot import Pilot

from console.domain.endpoint import Endpoint, EndpointSpec
from console.domain.operation import OperationKind
from console.domain.policy import BUILT_IN
from console.domain.sealing import KEY_BYTES, Keyring, encode_key, is_sealed
from console.domain.secret_parts import opened_endpoint
from console.store import Store
from console.ui import endpoint_acts as acts
from console.ui.app import ConsoleApp
from console.ui.endpoint_draft import start
from console.ui.endpoint_reading import read
from console.ui.screens.endpoint_form import EndpointForm
from console.ui.screens.home import HomeScreen
from console.ui.screens.secret import RotateScreen, SecretScreen
from console.ui.widgets.confirm import ConfirmScreen, PromptScreen
from console.ui.widgets.form_field import FormField
from tests.factories import SECRET, add_endpoint, make_event
from tests.ui.conftest import SIZES, MovableClock, screen_text, until
from tests.ui.test_home import fill
from tests.ui.test_home import read as read_home

Make = Callable[..., ConsoleApp]


def field(app: ConsoleApp, key: str) -> FormField:
    return next(each for each in app.screen.query(FormField) if each.key == key)


async def open_form(pilot: Pilot[int], app: ConsoleApp, key: str) -> EndpointForm:
    """Press `n`, or `e` on billing, which is the first by name."""
    await read_home(pilot, app)
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, EndpointForm) and app.screen.query(FormField), "the form")
    await pilot.pause()
    assert isinstance(app.screen, EndpointForm)
    return app.screen


async def type_into(pilot: Pilot[int], app: ConsoleApp, key: str, text: str) -> None:
    field(app, key).focus()
    field(app, key).value = text
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_an_endpoint_is_added_by_keyboard_and_its_secret_is_shown_once(
    store: Store, clock: MovableClock, make_console: Make, size: Any
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await open_form(pilot, app, "n")
        assert "a URL is needed" in screen_text(app)
        assert "✗ cannot" not in screen_text(app)
        await pilot.press(*"https://hooks.example.com/in", "tab", *"hooks", "down", *"invoice.*", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SecretScreen), "the secret")
        await pilot.pause()
        made = store.find_endpoint("hooks")
        assert (made.url, made.types) == ("https://hooks.example.com/in", ("invoice.*",))
        assert made.policy == BUILT_IN
        assert made.secrets[0].text in screen_text(app)
        assert store.operations(limit=1)[0].actor == "ada@test"
        await pilot.press("escape")
        assert isinstance(app.screen, SecretScreen), "it was neither copied nor saved"
        await pilot.press("y", "escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await until(pilot, lambda: "hooks" in screen_text(app))
        assert made.secrets[0].text not in screen_text(app)


async def test_what_is_wrong_is_said_as_it_is_typed_and_cannot_be_saved(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot, app, "n")
        await pilot.press(*"ftp://x")
        await until(pilot, lambda: "an absolute http" in field(app, "url").message)
        assert "✗ cannot be saved: url" in screen_text(app)
        await pilot.press("pagedown")
        await until(pilot, lambda: app.screen.focused is field(app, "retry_after_cap_s"), "eight fields further")
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: app.screen.focused is field(app, "url"))
        await type_into(pilot, app, "timeout_s", "1h")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen.focused is field(app, "url"), "the first field that is wrong")
        assert len(store.endpoints()) == 3
        await type_into(pilot, app, "url", "https://ok.example.com")
        await until(pilot, lambda: "cannot be saved: timeout" in screen_text(app))
        await type_into(pilot, app, "timeout_s", "")
        await until(pilot, lambda: "✓ ^s saves" in screen_text(app))
        line = "webhook-console endpoints add https://ok.example.com"
        assert line in " ".join(screen_text(app).split())


async def test_what_is_typed_ahead_goes_where_it_belongs(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot, app, "n")
        # All at once, as a slow line delivers what was typed meanwhile.
        for key in [
            *"https",
            "colon",
            "slash",
            "slash",
            *"x",
            "full_stop",
            *"io",
            "tab",
            *"ahead",
            "down",
            *"a",
            "ctrl+s",
        ]:
            character = {"colon": ":", "slash": "/", "full_stop": "."}.get(key, key if len(key) == 1 else None)
            app.post_message(events.Key(key, character))
        await until(pilot, lambda: isinstance(app.screen, SecretScreen), "the secret")
        made = store.find_endpoint("ahead")
        await until(pilot, lambda: made.secrets[0].text in screen_text(app))
        assert (made.url, made.types) == ("https://x.io", ("a",))


async def test_what_is_typed_before_the_form_is_there_does_nothing_to_others(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read_home(pilot, app)
        for key in ("n", *"tpaFsy", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: isinstance(app.screen, EndpointForm) and app.screen.query(FormField))
        await pilot.pause()
        assert [type(screen) for screen in app.screen_stack] == [HomeScreen, EndpointForm]
        assert not app.opening


async def test_the_types_are_tried_on_the_events_that_came_last(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    store.accept([make_event(type="refund.made")], clock.now_ms())
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_form(pilot, app, "n")
        await type_into(pilot, app, "types", "invoice.*")
        await until(pilot, lambda: field(app, "types").message.startswith("3 of the last 6 events: invoice.paid · not"))


async def test_esc_asks_when_something_was_typed(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot, app, "e")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await open_form(pilot, app, "e")
        await pilot.press("x", "escape")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, EndpointForm))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        assert store.find_endpoint("billing").version == 1


async def test_an_edit_leaves_alone_what_was_not_typed_and_never_shows_secrets(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    before = _edit(store, clock, "billing", authorization="Bearer canary", headers=(("X-Api-Key", "canary"),))
    app = make_console()
    async with app.run_test(size=(120, 50)) as pilot:
        await open_form(pilot, app, "e")
        await until(pilot, lambda: "kept: Bearer [redacted]" in screen_text(app))
        assert "X-Api-Key=[redacted]" in screen_text(app)
        assert "canary" not in screen_text(app)
        await type_into(pilot, app, "timeout_s", "3s")
        await type_into(pilot, app, "header.1", "X-Team=ops")
        await until(pilot, lambda: any(each.key == "header.2" for each in app.screen.query(FormField)), "one more")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    after = store.find_endpoint("billing")
    assert after.policy == replace(before.policy, timeout_s=3.0, headers=(("X-Api-Key", "canary"), ("X-Team", "ops")))
    assert after.secrets == before.secrets
    done = store.operations(limit=1)[0]
    assert (done.kind, done.result) == (OperationKind.ENDPOINT_EDIT, "timeout, header X-Team")


def _edit(store: Store, clock: MovableClock, name: str, **policy: Any) -> Endpoint:
    """As another would."""
    one = store.find_endpoint(name)
    spec = EndpointSpec(
        name=one.name, url=one.url, types=one.types, secrets=one.secrets, policy=replace(one.policy, **policy)
    )
    return store.edit_endpoint(one.id, spec, clock.now_ms())


async def test_what_another_changed_meanwhile_is_said_and_nothing_is_lost(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_form(pilot, app, "e")
        await type_into(pilot, app, "timeout_s", "3s")
        _edit(store, clock, "billing", timeout_s=9.0, jitter=0.1)
        await until(pilot, lambda: "was changed by another meanwhile" in screen_text(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "meanwhile another wrote 9s" in field(app, "timeout_s").message)
        assert store.find_endpoint("billing").policy.timeout_s == 9.0, "nothing was written over"
        assert (field(app, "timeout_s").value, field(app, "jitter").value) == ("3s", "10%")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    policy = store.find_endpoint("billing").policy
    assert (policy.timeout_s, policy.jitter) == (3.0, 0.1)


async def test_a_pause_meanwhile_is_no_conflict_and_a_rotated_secret_is_kept(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    session = make_console().session
    billing = store.find_endpoint("billing")
    base = await session.read(lambda reading: acts.read_base(reading, billing.id))
    begun = start(base)
    reading = read(replace(begun, texts={**begun.texts, "name": "bills"}))
    store.set_endpoint_state(billing.id, billing.state, "still here", clock.now_ms())
    saved = await acts.save_edit(session, billing.id, base, reading)
    assert saved.endpoint is not None
    assert saved.endpoint.name == "bills"
    assert saved.endpoint.secrets[0].text == SECRET


async def test_the_defaults_are_edited_in_the_same_form(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await read_home(pilot, app)
        app.run_worker(acts.edit_defaults(app))
        await until(pilot, lambda: isinstance(app.screen, EndpointForm) and app.screen.query(FormField))
        await type_into(pilot, app, "timeout_s", "7s")
        assert "webhook-console defaults edit --timeout 7s" in screen_text(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    assert store.policy_defaults() == replace(BUILT_IN, timeout_s=7.0)
    assert store.find_endpoint("crm").policy.timeout_s == 7.0


async def test_an_endpoint_is_removed_by_its_name(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot, app, "e")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.pause()
        assert "2 deliveries that wait are cancelled" in screen_text(app)
        assert "webhook-console endpoints remove billing --yes" in screen_text(app)
        await pilot.press(*"crm", "enter")
        await until(pilot, lambda: "is not its name" in screen_text(app))
        assert len(store.endpoints()) == 3
        await pilot.press("ctrl+u", *"billing", "enter")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    assert [endpoint.name for endpoint in store.endpoints()] == ["crm", "paused"]


@pytest.mark.parametrize("ed25519", [False, True])
async def test_a_secret_is_rotated_with_an_overlap(
    store: Store, clock: MovableClock, make_console: Make, ed25519: bool
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read_home(pilot, app)
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, RotateScreen))
        await pilot.pause()
        await pilot.press("ctrl+u", *"soon")
        await until(pilot, lambda: "✗ duration" in screen_text(app))
        await pilot.press("enter", "ctrl+u", *"2h", *(["tab"] if ed25519 else []))
        await until(pilot, lambda: "rotate-secret billing" in screen_text(app) and "--overlap 2h" in screen_text(app))
        assert ("--ed25519" in screen_text(app)) is ed25519
        assert store.find_endpoint("billing").secrets[0].text == SECRET, "nothing was done before it was right"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SecretScreen))
        await pilot.pause()
        new, old = store.find_endpoint("billing").secrets
        assert old.text == SECRET
        assert 7_100_000 < (old.until_ms or 0) - clock.now_ms() <= 7_200_000
        shown = new.public_key if ed25519 else new.text
        assert shown is not None
        assert shown in screen_text(app)
        assert new.text not in screen_text(app) or not ed25519


async def test_read_only_has_none_of_these_keys(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console(read_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await read_home(pilot, app)
        await pilot.press("n", "e", "t", "S", "X")
        await pilot.pause()
        assert isinstance(app.screen, HomeScreen)


async def test_a_name_from_outside_never_reaches_the_terminal_raw(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    add_endpoint(store, name="aa[bold]", now_ms=clock.now_ms(), policy={"user_agent": "[red]x[/]"})
    app = make_console()
    async with app.run_test(size=(120, 50)) as pilot:
        await read_home(pilot, app, rows=4)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, EndpointForm) and app.screen.query(FormField))
        await until(pilot, lambda: "[red]x[/]" in screen_text(app))
        assert "endpoints edit 'aa[bold]'" in screen_text(app)


async def test_with_a_key_at_hand_what_is_kept_is_sealed_and_an_edit_leaves_it_sealed(
    store: Store, clock: MovableClock, make_console: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, clock)
    key = encode_key(b"k" * KEY_BYTES)
    monkeypatch.setenv("WEBHOOK_CONSOLE_KEY", key)
    session = make_console().session
    base = await session.read(lambda reading: acts.read_base(reading, None))
    begun = start(base)
    texts = {**begun.texts, "url": "https://a.example.com", "name": "aaa", "bearer": "canary"}
    saved = await acts.save_new(session, read(replace(begun, texts=texts)))
    assert saved.made is not None
    kept = store.find_endpoint("aaa")
    assert is_sealed(kept.secrets[0].text)
    assert is_sealed(kept.policy.authorization or "")

    monkeypatch.delenv("WEBHOOK_CONSOLE_KEY")
    base = await session.read(lambda reading: acts.read_base(reading, kept.id))
    begun = start(base)
    assert "sealed:" not in " ".join(begun.texts.values())
    await acts.save_edit(session, kept.id, base, read(replace(begun, texts={**begun.texts, "timeout_s": "3s"})))
    edited = store.find_endpoint("aaa")
    assert edited.policy.timeout_s == 3.0
    assert edited.secrets == kept.secrets
    opened = opened_endpoint(edited, Keyring.parse(key, "the test"))
    assert (opened.secrets[0].text, opened.policy.authorization) == (saved.made, "Bearer canary")


async def test_the_palette_edits_removes_and_rotates_by_name(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await read_home(pilot, app)
        for typed, there in (
            ("remove endpoint crm", PromptScreen),
            ("rotate the secret of crm", RotateScreen),
            ("edit endpoint crm", EndpointForm),
            ("edit the defaults", EndpointForm),
        ):
            await pilot.press("colon")
            await until(pilot, lambda: isinstance(app.screen, CommandPalette))
            await pilot.press(*(key if key != " " else "space" for key in typed))
            words = typed.split()[-1]
            await until(pilot, lambda words=words: screen_text(app).count(words) >= 2, typed)  # type: ignore[misc]  # loop
            await pilot.press("enter")
            await until(pilot, lambda there=there: isinstance(app.screen, there), typed)  # type: ignore[misc]  # loop
            await pilot.pause()
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_a_filter_and_a_dry_run_are_typed_checked_and_saved(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_form(pilot, app, "e")
        field(app, "when").focus()
        await pilot.press(*"payload.amount >")
        await until(pilot, lambda: "line 1" in field(app, "when").message)
        await pilot.press(*" 100", "tab", *"perhaps")
        await until(pilot, lambda: "yes or no" in field(app, "dry_run").message and not field(app, "when").message)
        field(app, "dry_run").value = "yes"
        await until(pilot, lambda: "--dry-run" in screen_text(app))
        assert "--when 'payload.amount > 100'" in screen_text(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: store.find_endpoint("billing").dry_run)
        assert store.find_endpoint("billing").filter == "payload.amount > 100"
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and "◌ dry run" in screen_text(app))
