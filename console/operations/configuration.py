"""Make a store as a configuration file wants it: all of it or nothing, and each change in the audit log."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import assert_never

from console.domain.alerts import AlertRule
from console.domain.configuration import (
    Act,
    Drop,
    Present,
    PutAlert,
    PutDefaults,
    PutEndpoint,
    PutSchema,
    PutSource,
    Step,
    Subject,
    Todo,
    Wanted,
    key_of,
)
from console.domain.configuration_plan import matched_alerts, plan
from console.domain.configuration_words import parts_of
from console.domain.endpoint import Endpoint
from console.domain.errors import ConfigError, ConsoleError, InvalidInputError, SealedError, UnknownReferenceError
from console.domain.event_schema import EventSchema
from console.domain.kinds.checking import WITHOUT_SECRETS
from console.domain.operation import OperationKind
from console.domain.sealing import NO_KEYS, Keyring
from console.domain.signing import SECRET_BYTES, Secret, make_secret
from console.domain.source import Source, SourceKind
from console.operations import alerts, endpoints, schemas, sources
from console.operations.secrets import way_out
from console.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What came of a file."""

    steps: tuple[Step, ...] = ()
    """What was done."""
    stays: tuple[Step, ...] = ()
    """What the file says no longer, and stays since nobody said that it may go."""
    made: tuple[Step, ...] = ()
    """Those of them that got a secret made."""

    @property
    def words(self) -> str:
        """`2 added, 1 changed`, `nothing to do`."""
        count = Counter(step.act for step in self.steps)
        names = {Act.ADD: "added", Act.EDIT: "changed", Act.REMOVE: "removed"}
        return ", ".join(f"{count[act]} {name}" for act, name in names.items() if count[act]) or "nothing to do"


class _UndoneError(Exception):
    """Nothing of it is to stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Applies files to a store.

    Args:
        entropy: a cryptographic random source, for the signing secrets that are made.
    """

    actor: str
    random: Random
    entropy: Callable[[int], bytes]
    keys: Keyring = NO_KEYS

    def apply(self, store: Store, wanted: Wanted, *, label: str, now_ms: int, prune: bool = False) -> Applied:
        """Do what is to be done; when any of it cannot be, nothing is changed.

        Args:
            label: files of one label are one file, as it changes in time.
            prune: remove what files of this label said before, and this one does not.

        Raises:
            ConfigError: says where in the file; the file asks for something that cannot be.
            SealedError: a secret is to be compared with one that none of the keys opens.
        """
        with store.transaction():
            present = read_present(store)
            said_before = store.applied(label)
            planned = plan(present, wanted, said_before, self._opener(present))
            done = tuple(step for step in planned if prune or step.act is not Act.REMOVE)
            stays = tuple(step for step in planned if step not in done)
            if done:
                self._carry_out(store, done, label, now_ms)
            says = _said(read_present(store), wanted) | {
                key_of(step.todo.what) for step in stays if isinstance(step.todo, Drop)
            }
            if says != said_before:
                store.set_applied(label, says, now_ms)
        return Applied(steps=done, stays=stays, made=tuple(step for step in done if _makes_secret(step.todo)))

    def try_out(self, store: Store, wanted: Wanted, *, label: str, now_ms: int, prune: bool = False) -> Applied:
        """What `apply` would do: it is done, and taken back before anybody sees it. Raises as `apply`."""
        found: list[Applied] = []
        try:
            with store.transaction():
                found.append(self.apply(store, wanted, label=label, now_ms=now_ms, prune=prune))
                raise _UndoneError
        except _UndoneError:
            return found[0]

    def _carry_out(self, store: Store, steps: tuple[Step, ...], label: str, now_ms: int) -> None:
        operation = store.begin_operation(
            OperationKind.CONFIG_APPLY, actor=self.actor, target=label, reason=None, now_ms=now_ms
        )
        for step in steps:
            try:
                self._take(store, step, label, now_ms)
            except (InvalidInputError, UnknownReferenceError) as error:
                raise ConfigError(f"{step.place or label}: {error}") from None
        result = Applied(steps=steps).words
        store.progress_operation(operation, done=len(steps), result=result, finished_at_ms=now_ms)

    def _take(self, store: Store, step: Step, label: str, now_ms: int) -> None:
        changed = ", ".join(part.part for part in parts_of(step))
        match step.todo:
            case PutDefaults(policy=policy):
                endpoints.edit_defaults(store, policy, actor=self.actor, now_ms=now_ms, changed=changed, keys=self.keys)
            case PutEndpoint():
                self._put_endpoint(store, step.todo, label, changed, now_ms)
            case PutAlert():
                self._put_alert(store, step.todo, now_ms)
            case PutSource():
                self._put_source(store, step.todo, label, now_ms)
            case PutSchema(pattern=pattern, mode=mode, text=text):
                schemas.add_schema(store, pattern, text, mode, actor=self.actor, now_ms=now_ms)
            case Drop(what=what):
                self._drop(store, what, now_ms)
            case _:
                assert_never(step.todo)

    def _put_endpoint(self, store: Store, todo: PutEndpoint, label: str, changed: str, now_ms: int) -> None:
        spec = todo.spec
        if not spec.secrets:
            spec = replace(spec, secrets=(Secret(text=make_secret(self.entropy(SECRET_BYTES))),))
        if todo.before is None:
            endpoint = endpoints.add_endpoint(
                store, spec, actor=self.actor, now_ms=now_ms, random=self.random, keys=self.keys
            )
        elif todo.same:
            endpoint = todo.before
        else:
            endpoint = endpoints.edit_endpoint(
                store, todo.before.id, spec, actor=self.actor, now_ms=now_ms, changed=changed, keys=self.keys
            )
        reason = f"as {label} says"
        if todo.pause:
            endpoints.pause_endpoint(store, endpoint.id, actor=self.actor, reason=reason, now_ms=now_ms)
        elif todo.pause is False:
            endpoints.resume_endpoint(store, endpoint.id, actor=self.actor, reason=reason, now_ms=now_ms)

    def _put_source(self, store: Store, todo: PutSource, label: str, now_ms: int) -> None:
        spec, before = todo.spec, todo.before
        if _makes_secret(todo):
            spec = replace(spec, secrets=(Secret(text=self._source_secret(spec.kind)),))
        if before is None:
            source = sources.add_source(
                store, spec, actor=self.actor, now_ms=now_ms, random=self.random, keys=self.keys
            )
        elif before.spec == spec:
            source = before
        else:
            source = sources.edit_source(store, before.id, spec, actor=self.actor, now_ms=now_ms, keys=self.keys)
        sources.enable_source(
            store, source.id, todo.enabled, actor=self.actor, reason=f"as {label} says", now_ms=now_ms
        )

    def _source_secret(self, kind: SourceKind) -> str:
        """Where the provider chooses it, one that nobody knows: nothing is taken until it is the right one."""
        return sources.make_source_secret(kind if kind in sources.OURS else SourceKind.TOKEN, self.entropy)

    def _put_alert(self, store: Store, todo: PutAlert, now_ms: int) -> None:
        endpoint = None if todo.endpoint is None else _named(store, todo.endpoint).id
        spec = replace(todo.spec, endpoint=endpoint)
        if todo.before is None:
            alerts.add_rule(store, spec, actor=self.actor, now_ms=now_ms)
        else:
            alerts.edit_rule(store, todo.before.id, spec, actor=self.actor, now_ms=now_ms)

    def _drop(self, store: Store, what: Subject, now_ms: int) -> None:
        match what:
            case Endpoint():
                endpoints.remove_endpoint(store, what.id, actor=self.actor, now_ms=now_ms)
            case AlertRule():
                alerts.remove_rule(store, what.id, actor=self.actor, now_ms=now_ms)
            case Source():
                sources.remove_source(store, what.id, actor=self.actor, reason=None, now_ms=now_ms)
            case EventSchema():
                schemas.retire_schema(store, what.pattern, actor=self.actor, now_ms=now_ms)
            case _:
                assert_never(what)

    def _opener(self, present: Present) -> Callable[[str, str, str], str]:
        names = {one.id: one.name for one in present.endpoints} | {one.id: one.name for one in present.sources}

        def opened(owner: str, field: str, text: str) -> str:
            try:
                return self.keys.open(text, owner, field)
            except SealedError as error:
                raise SealedError(f"{names.get(owner, owner)}: {error}{way_out()}") from None  # type: ignore[call-overload]

        return opened


def refuse(store: Store, error: ConsoleError, *, label: str, actor: str, now_ms: int) -> None:
    """Put into the audit log that a file was not applied, and why."""
    operation = store.begin_operation(OperationKind.CONFIG_APPLY, actor=actor, target=label, reason=None, now_ms=now_ms)
    store.progress_operation(operation, done=0, result=f"refused: {error}", finished_at_ms=now_ms)


def read_present(store: Store) -> Present:
    """What there is. Captures are no business of files."""
    return Present(
        defaults=store.policy_defaults(),
        endpoints=store.endpoints(),
        sources=[source for source in store.sources() if source.kind is not SourceKind.CAPTURE],
        schemas=store.schemas(),
        alerts=store.alert_rules(),
    )


def _said(present: Present, wanted: Wanted) -> frozenset[str]:
    """What the file says, once it is there."""
    names, inlets = {one.name for one in wanted.endpoints}, {one.name for one in wanted.sources}
    patterns = {one.pattern for one in wanted.schemas}
    found: list[Subject] = [
        *(endpoint for endpoint in present.endpoints if endpoint.name in names),
        *(source for source in present.sources if source.name in inlets),
        *(schema for schema in present.schemas if schema.pattern in patterns),
        *(rule for rule in matched_alerts(present, wanted) if rule is not None),
    ]
    return frozenset(map(key_of, found))


def _makes_secret(todo: Todo) -> bool:
    match todo:
        case PutEndpoint(spec=spec):
            return not spec.secrets
        case PutSource(spec=spec):
            return not spec.secrets and spec.kind not in WITHOUT_SECRETS
        case _:
            return False


def _named(store: Store, name: str) -> Endpoint:
    """By its whole name: what a file says must not depend on what else there is."""
    found = next((endpoint for endpoint in store.endpoints() if endpoint.name == name), None)
    if found is None:
        raise UnknownReferenceError(f"there is no endpoint {name}")
    return found
