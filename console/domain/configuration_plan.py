"""What would have to change for a store to be as a configuration file wants it. Pure."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from console.domain.alerts import AlertRule
from console.domain.configuration import (
    KEPT,
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
    Thing,
    Wanted,
    WantedAlert,
    WantedEndpoint,
    WantedPolicy,
    WantedSource,
    alert_name,
    key_of,
)
from console.domain.endpoint import Endpoint, EndpointSpec, EndpointState
from console.domain.errors import ConfigError, InvalidInputError
from console.domain.kinds.checking import WITHOUT_SECRETS, check_source
from console.domain.policy import DeliveryPolicy
from console.domain.signing import Secret
from console.domain.source import SourceSpec

Open = Callable[[str, str, str], str]
"""From the owner of a secret, the field it stands in and its text as it is kept, to the secret."""


def plan(present: Present, wanted: Wanted, said_before: frozenset[str], open_: Open) -> list[Step]:
    """What has to be done, in an order in which it can be; nothing to do: empty.

    Args:
        said_before: what files of the same label said: what is still there of it and is said no longer goes.
        open_: raises SealedError when a secret is to be compared and cannot be opened.
    """
    return [
        *_defaults(present, wanted, open_),
        *_endpoints(present, wanted, open_),
        *_sources(present, wanted, open_),
        *_schemas(present, wanted),
        *_alerts(present, wanted),
        *_removed(present, wanted, said_before),
    ]


def policy_over(
    wanted: WantedPolicy, base: DeliveryPolicy, before: DeliveryPolicy | None, open_: Callable[[str, str], str]
) -> DeliveryPolicy:
    """A base with what is said put into it. A secret that is the same as before stays in the form it is kept in."""
    parts = dict(wanted.parts)
    for name in wanted.kept:
        parts[name] = None if before is None else getattr(before, name)
    for name in ("authorization", "proxy"):
        held = None if before is None else getattr(before, name)
        if name in wanted.parts and held is not None and open_(name, held) == wanted.parts[name]:
            parts[name] = held
    if wanted.headers is not None:
        parts["headers"] = _headers(wanted.headers, before, open_)
    return replace(base, **parts)


def _headers(
    wanted: Sequence[tuple[str, str | None]], before: DeliveryPolicy | None, open_: Callable[[str, str], str]
) -> tuple[tuple[str, str], ...]:
    held = {} if before is None else {name.lower(): value for name, value in before.headers}
    found = []
    for name, value in wanted:
        old = held.get(name.lower())
        if value is None:
            if old is not None:
                found.append((name, old))
        elif old is not None and open_(f"header {name.lower()}", old) == value:
            found.append((name, old))
        else:
            found.append((name, value))
    return tuple(found)


def _defaults(present: Present, wanted: Wanted, open_: Open) -> list[Step]:
    policy = _new_defaults(present, wanted, open_)
    if policy == present.defaults:
        return []
    todo = PutDefaults(before=present.defaults, policy=policy)
    return [Step(act=Act.EDIT, thing=Thing.DEFAULTS, name="", todo=todo, place=wanted.defaults_place)]


def _new_defaults(present: Present, wanted: Wanted, open_: Open) -> DeliveryPolicy:
    if wanted.defaults is None:
        return present.defaults
    return policy_over(
        wanted.defaults, DeliveryPolicy(), present.defaults, lambda name, text: open_(Thing.DEFAULTS, name, text)
    )


def _endpoints(present: Present, wanted: Wanted, open_: Open) -> list[Step]:
    defaults = _new_defaults(present, wanted, open_)
    by_name = {endpoint.name: endpoint for endpoint in present.endpoints}
    steps = []
    for one in wanted.endpoints:
        todo = _endpoint(one, by_name.get(one.name), defaults, open_)
        if not todo.same or todo.pause is not None:
            act = Act.ADD if todo.before is None else Act.EDIT
            steps.append(Step(act=act, thing=Thing.ENDPOINT, name=one.name, todo=todo, place=one.place))
    return steps


def _endpoint(one: WantedEndpoint, before: Endpoint | None, defaults: DeliveryPolicy, open_: Open) -> PutEndpoint:
    owner = "" if before is None else before.id
    held = None
    if before is not None:
        held = replace(defaults, **{name: getattr(before.policy, name) for name in before.own})
    spec = EndpointSpec(
        name=one.name,
        url=_url(one, before),
        types=one.types,
        secrets=_secrets(one.secrets, () if before is None else before.secrets, lambda n, text: open_(owner, n, text)),
        policy=policy_over(one.policy, defaults, held, lambda name, text: open_(owner, name, text)),
        filter=one.filter,
        transform=one.transform,
        dry_run=one.dry_run,
    )
    paused = before is not None and before.state is EndpointState.PAUSED
    pause = None if one.paused is None or one.paused == paused else one.paused
    return PutEndpoint(before=before, before_policy=held or defaults, spec=spec, url_origin=one.url.origin, pause=pause)


def _url(one: WantedEndpoint, before: Endpoint | None) -> str:
    if one.url.value != KEPT:
        return one.url.value
    if before is None:
        raise ConfigError(f"{one.place}.url: is {KEPT}, and there is no endpoint {one.name} yet: write it")
    return before.url


def _secrets(
    wanted: tuple[str, ...] | None, before: tuple[Secret, ...], open_: Callable[[str, str], str]
) -> tuple[Secret, ...]:
    """Those of before when they are the same, those that are about to end included."""
    if wanted is None:
        return before
    texts = {secret: open_("signing secret", secret.text) for secret in before}
    if tuple(texts[secret] for secret in before if secret.until_ms is None) == wanted:
        return before
    return tuple(
        next((secret for secret, text in texts.items() if text == one and secret.until_ms is None), Secret(text=one))
        for one in wanted
    )


def _sources(present: Present, wanted: Wanted, open_: Open) -> list[Step]:
    by_name = {source.name: source for source in present.sources}
    steps = []
    for one in wanted.sources:
        before = by_name.get(one.name)
        owner = "" if before is None else before.id
        held = () if before is None else before.secrets
        # Bound now, since the next turn has another owner.
        secrets = _secrets(one.secrets, held, lambda name, text, owner=owner: open_(owner, name, text))  # type: ignore[misc]
        spec = _checked(one, SourceSpec(name=one.name, kind=one.kind, secrets=secrets, options=one.options))
        if before is not None and before.spec == spec and before.enabled == one.enabled:
            continue
        act = Act.ADD if before is None else Act.EDIT
        todo = PutSource(before=before, spec=spec, enabled=one.enabled)
        steps.append(Step(act=act, thing=Thing.SOURCE, name=one.name, todo=todo, place=one.place))
    return steps


def _checked(one: WantedSource, spec: SourceSpec) -> SourceSpec:
    """With what its kind has by default, so that it can be compared."""
    if not spec.secrets and spec.kind not in WITHOUT_SECRETS:
        return spec
    try:
        return check_source(spec)
    except InvalidInputError as error:
        raise ConfigError(f"{one.place}: {error}") from None


def _schemas(present: Present, wanted: Wanted) -> list[Step]:
    by_pattern = {schema.pattern: schema for schema in present.schemas}
    steps = []
    for one in wanted.schemas:
        before = by_pattern.get(one.pattern)
        same = before is not None and before.mode is one.mode and json.loads(before.text) == json.loads(one.text)
        if same:
            continue
        act = Act.ADD if before is None else Act.EDIT
        todo = PutSchema(before=before, pattern=one.pattern, mode=one.mode, text=one.text)
        steps.append(Step(act=act, thing=Thing.SCHEMA, name=one.pattern, todo=todo, place=one.place))
    return steps


def matched_alerts(present: Present, wanted: Wanted) -> list[AlertRule | None]:
    """For each wanted rule the one that there is: the same, else the first of its kind and endpoint that no other
    wants, else None."""
    free = list(present.alerts)
    found: list[AlertRule | None] = [None] * len(wanted.alerts)
    for exactly in (True, False):
        for number, one in enumerate(wanted.alerts):
            if found[number] is None:
                rule = next((rule for rule in free if _is_rule(rule, one, exactly=exactly)), None)
                if rule is not None:
                    found[number] = rule
                    free.remove(rule)
    return found


def _is_rule(rule: AlertRule, one: WantedAlert, *, exactly: bool) -> bool:
    if rule.endpoint_name != one.endpoint:
        return False
    return replace(rule.spec, endpoint=None) == one.spec if exactly else rule.spec.kind is one.spec.kind


def _alerts(present: Present, wanted: Wanted) -> list[Step]:
    steps = []
    for one, rule in zip(wanted.alerts, matched_alerts(present, wanted), strict=True):
        if rule is not None and _is_rule(rule, one, exactly=True):
            continue
        act = Act.ADD if rule is None else Act.EDIT
        todo = PutAlert(before=rule, spec=one.spec, endpoint=one.endpoint)
        name = alert_name(one.spec, one.endpoint)
        steps.append(Step(act=act, thing=Thing.ALERT, name=name, todo=todo, place=one.place))
    return steps


def _removed(present: Present, wanted: Wanted, said_before: frozenset[str]) -> list[Step]:
    """Alerts first: they go with their endpoints."""
    matched = matched_alerts(present, wanted)
    names, inlets = {one.name for one in wanted.endpoints}, {one.name for one in wanted.sources}
    patterns = {one.pattern for one in wanted.schemas}
    gone: list[tuple[Thing, str, Subject]] = [
        *((Thing.ALERT, alert_name(rule.spec, rule.endpoint_name), rule) for rule in present.alerts
          if rule not in matched),
        *((Thing.SCHEMA, schema.pattern, schema) for schema in present.schemas if schema.pattern not in patterns),
        *((Thing.SOURCE, source.name, source) for source in present.sources if source.name not in inlets),
        *((Thing.ENDPOINT, endpoint.name, endpoint) for endpoint in present.endpoints if endpoint.name not in names),
    ]  # fmt: skip
    return [
        Step(act=Act.REMOVE, thing=thing, name=name, todo=Drop(what=what))
        for thing, name, what in gone
        if key_of(what) in said_before
    ]
