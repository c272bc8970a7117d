"""Adding, editing, removing endpoints, and changing their secrets, from any screen: questions, operations, and what is
said of them afterwards. What waits for an answer runs in a worker.
"""

import os
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textual.app import App

from console.config import keyring
from console.domain.endpoint import Endpoint, EndpointSpec
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.filters import EventFilter
from console.domain.ids import EndpointId, EventId
from console.domain.redaction import redact_url
from console.domain.retry import parse_duration_s
from console.domain.sealing import Keyring
from console.domain.signing import SECRET_BYTES, Secret, make_key, make_secret, with_public_key
from console.domain.status import Gauge
from console.operations import endpoints as acts
from console.operations.secrets import MAX_OVERLAP_MS, rotate_secret
from console.store import Store
from console.ui.endpoint_draft import Base, base_of, defaults_base, new_base, same_base
from console.ui.endpoint_reading import Reading
from console.ui.format import counted, date_time, one_line
from console.ui.session import Session
from console.ui.steering import complain, say, session_of
from console.ui.widgets.confirm import DANGER_SIGN, PromptScreen

if TYPE_CHECKING:
    from console.ui.transforming import Shape

DEFAULT_OVERLAP = "24h"
TYPES_FROM = 200
"""Events whose types say what patterns would match."""


# Reading what a form begins from


def read_base(store: Store, endpoint: EndpointId | None) -> Base:
    """To add one, or to edit this one. Raises UnknownReferenceError, StoreError."""
    taken = frozenset(each.name for each in store.endpoints())
    if endpoint is None:
        return new_base(store.policy_defaults(), taken)
    return base_of(store.find_endpoint(endpoint), store.policy_defaults(), taken)


def read_defaults(store: Store) -> Base:
    """To edit the defaults of all endpoints."""
    return defaults_base(store.policy_defaults())


def recent_types(store: Store) -> Mapping[str, int]:
    """How often each type is among the events that came last."""
    return Counter(event.type for event in store.events(EventFilter(), limit=TYPES_FROM))


def command_line(reading: Reading) -> str:
    """What does the same in a shell."""
    return shlex.join(["webhook-console", *reading.words])


# Saving


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of a form: it was saved, or `changed` says what is there now instead of what it began from."""

    endpoint: Endpoint | None = None
    made: str | None = None
    """The signing secret that was made, to be shown once."""
    changed: Base | None = None


async def save_new(session: Session, reading: Reading) -> Saved:
    """Add an endpoint. Raises InvalidInputError for a name that is taken by now, ConfigError, StoreError."""
    from random import SystemRandom

    keys, made = keyring(None), None if reading.secret else make_secret(os.urandom(SECRET_BYTES))
    spec = EndpointSpec(
        name=reading.name,
        url=reading.url,
        types=reading.types,
        secrets=(Secret(text=reading.secret or made or ""),),
        policy=reading.policy,
        filter=reading.filter,
        dry_run=reading.dry_run,
    )
    endpoint = await session.write(
        lambda store: acts.add_endpoint(
            store, spec, actor=session.actor, now_ms=session.clock.now_ms(), random=SystemRandom(), keys=keys
        )
    )
    return Saved(endpoint=endpoint, made=made)


async def save_edit(session: Session, endpoint_id: EndpointId, base: Base, reading: Reading) -> Saved:
    """Edit an endpoint, unless what the form is about was changed since it began. Its secrets stay as they are now.

    Raises:
        InvalidInputError, UnknownReferenceError, ConfigError, StoreError
    """
    keys = keyring(None)

    def edit(store: Store) -> Saved:
        with store.transaction():
            now = read_base(store, endpoint_id)
            if not same_base(now, base):
                return Saved(changed=now)
            before = store.find_endpoint(endpoint_id)
            spec = replace(
                before.spec,
                name=reading.name,
                url=reading.url,
                types=reading.types,
                policy=reading.policy,
                filter=reading.filter,
                dry_run=reading.dry_run,
            )
            now_ms, changed = session.clock.now_ms(), ", ".join(reading.changed)
            edited = acts.edit_endpoint(
                store, endpoint_id, spec, actor=session.actor, now_ms=now_ms, changed=changed, keys=keys
            )
            return Saved(endpoint=edited)

    return await session.write(edit)


async def save_defaults(session: Session, base: Base, reading: Reading) -> Saved:
    """Edit the defaults, unless another has since the form began. Raises as `save_edit`."""
    keys = keyring(None)

    def edit(store: Store) -> Saved:
        with store.transaction():
            now = read_defaults(store)
            if not same_base(now, base):
                return Saved(changed=now)
            now_ms, changed = session.clock.now_ms(), ", ".join(reading.changed)
            acts.edit_defaults(store, reading.policy, actor=session.actor, now_ms=now_ms, changed=changed, keys=keys)
            return Saved()

    return await session.write(edit)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedShape:
    """What became of a filter and a transform: they are `done`, or another's are there, which were not looked at."""

    endpoint: Endpoint
    done: bool


async def save_shape(session: Session, endpoint_id: EndpointId, before: "Shape", after: "Shape") -> SavedShape:
    """Give an endpoint another filter and transform, unless another has since `before`. Raises as `save_edit`."""
    from console.ui.transforming import changes, shape_of

    keys = keyring(None)

    def edit(store: Store) -> SavedShape:
        from console.domain.templating import check_filter, check_transform

        if after.filter is not None:
            check_filter(after.filter)
        if after.transform is not None:
            check_transform(after.transform)
        with store.transaction():
            now = store.find_endpoint(endpoint_id)
            if shape_of(now) != before:
                return SavedShape(endpoint=now, done=False)
            spec = replace(now.spec, filter=after.filter, transform=after.transform)
            now_ms, changed = session.clock.now_ms(), ", ".join(changes(before, after))
            edited = acts.edit_endpoint(
                store, endpoint_id, spec, actor=session.actor, now_ms=now_ms, changed=changed, keys=keys
            )
            return SavedShape(endpoint=edited, done=True)

    return await session.write(edit)


# Opening


async def add_endpoint(app: App[Any]) -> None:
    """Open the form for a new endpoint."""
    await _open_form(app, lambda store: read_base(store, None), None)


async def edit_endpoint(app: App[Any], endpoint: Endpoint) -> None:
    """Open the form on an endpoint as it is now."""
    await _open_form(app, lambda store: read_base(store, endpoint.id), endpoint.id)


async def shape_endpoint(app: App[Any], endpoint: Endpoint, event_id: EventId | None = None) -> None:
    """Open the filter and the transform of an endpoint as they are now, beside what they make of a past event."""
    from console.ui.screens.transform import TransformScreen

    try:
        now = await session_of(app).read(lambda store: store.find_endpoint(endpoint.id))
        await app.push_screen(TransformScreen(now, event_id))
    except ConsoleError as error:
        complain(app, error)


async def edit_defaults(app: App[Any]) -> None:
    """Open the form on what endpoints follow that say nothing themselves."""
    await _open_form(app, read_defaults, None)


async def _open_form(app: App[Any], begin: Any, endpoint: EndpointId | None) -> None:
    from console.ui.screens.endpoint_form import EndpointForm

    try:
        base = await session_of(app).read(begin)
        await app.push_screen(EndpointForm(base, endpoint))
    except ConsoleError as error:
        complain(app, error)


# Removing


async def remove_endpoint(app: App[Any], endpoint: Endpoint) -> bool:
    """Ask for its name, with a preview of what is lost, and take the endpoint away. Returns whether it was."""
    session = session_of(app)
    try:
        gauge = await session.read(lambda store: store.gauges().get(endpoint.id, Gauge()))
        body = removal_lines(endpoint, gauge)

        def same_name(text: str) -> None:
            if text != endpoint.name:
                raise InvalidInputError(f"{text[:40]!r} is not its name: type {endpoint.name} to remove it")

        title = f"{DANGER_SIGN}Remove {endpoint.name}? Type its name"
        question = PromptScreen(title, body, placeholder=endpoint.name, required=True, check=same_name)
        if await app.push_screen_wait(question) is None:
            return False
        now_ms = session.clock.now_ms()
        cancelled = await session.write(
            lambda store: acts.remove_endpoint(store, endpoint.id, actor=session.actor, now_ms=now_ms)
        )
    except ConsoleError as error:
        complain(app, error)
        return False
    say(app, f"{endpoint.name} is removed: {counted(cancelled, 'delivery', 'deliveries')} cancelled")
    return True


def removal_lines(endpoint: Endpoint, gauge: Gauge) -> list[str]:
    """What removing an endpoint does."""
    lines = [one_line(redact_url(endpoint.url), 200), ""]
    if gauge.pending:
        lines.append(
            f"{counted(gauge.pending, 'delivery that waits is', 'deliveries that wait are')} cancelled for good."
        )
    if gauge.sending:
        lines.append(f"{counted(gauge.sending, 'request is', 'requests are')} under way and may still arrive.")
    if gauge.failed:
        lines.append(f"{counted(gauge.failed, 'failed delivery', 'failed deliveries')} can no longer be retried.")
    if len(lines) == 2:
        lines.append("It is owed nothing.")
    lines += ["Its history stays. Its secrets are wiped: it cannot be undone.", ""]
    return [*lines, f"the same: {shlex.join(['webhook-console', 'endpoints', 'remove', endpoint.name, '--yes'])}"]


# Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How a secret is to be changed: those of before sign too for so long, and what kind the new one is."""

    overlap_s: float
    ed25519: bool


def parse_overlap(text: str) -> float:
    """Seconds. Raises InvalidInputError for what is no time, or more than a year."""
    overlap_s = parse_duration_s(text.strip() or "?")
    if overlap_s * 1000 > MAX_OVERLAP_MS:
        raise InvalidInputError("overlap: 365d at most")
    return overlap_s


async def rotate(app: App[Any], endpoint: Endpoint) -> bool:
    """Ask how, sign with a new secret from now on, and show it once. Returns whether it was done."""
    from console.ui.screens.secret import RotateScreen, SecretScreen

    session = session_of(app)
    signing = len(endpoint.active_secrets(session.clock.now_ms()))
    rotation = await app.push_screen_wait(RotateScreen(endpoint, signing))
    if rotation is None:
        return False
    try:
        new, rotated = await _rotate(session, endpoint, rotation, keyring(None))
    except ConsoleError as error:
        complain(app, error)
        return False
    lines = (_overlap_words(rotated),)
    if new.public_key is not None:
        title, shown = f"{endpoint.name}: the new public key", new.public_key
        again = "Give it to the receiver; webhook-console endpoints show prints it again."
        await app.push_screen(SecretScreen(title, shown, lines=lines, again=again))
    else:
        await app.push_screen(SecretScreen(f"{endpoint.name}: the new signing secret", new.text, lines=lines))
    return True


async def _rotate(session: Session, endpoint: Endpoint, rotation: Rotation, keys: Keyring) -> tuple[Secret, Endpoint]:
    def act(store: Store) -> tuple[Secret, Endpoint]:
        # Here and not on the loop: the library behind ed25519 takes a while to load.
        made = make_key(os.urandom(32)) if rotation.ed25519 else make_secret(os.urandom(SECRET_BYTES))
        new = with_public_key(Secret(text=made))
        rotated = rotate_secret(
            store,
            endpoint.id,
            new,
            overlap_ms=round(rotation.overlap_s * 1000),
            actor=session.actor,
            now_ms=session.clock.now_ms(),
            keys=keys,
        )
        return new, rotated

    return await session.write(act)


def _overlap_words(endpoint: Endpoint) -> str:
    old = endpoint.secrets[1:]
    if not old:
        return "It alone signs from now on."
    many = "The old one signs" if len(old) == 1 else f"{len(old)} old ones sign"
    return f"It signs from now on. {many} too, until {date_time(max(secret.until_ms or 0 for secret in old))}."
