"""What a person types after `/`, as a filter of the store: a list and a bulk action on all of it then agree."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from console.domain.delivery import DeliveryState
from console.domain.errors import InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId, EventId, check_event_id, parse_number
from console.domain.matching import check_pattern
from console.domain.outcome import Cause

_STATES = {"failed": (DeliveryState.FAILED,), "retrying": (DeliveryState.PENDING, DeliveryState.SENDING)}


def parse_filter(text: str, names: Mapping[EndpointId, str], base: DeliveryFilter) -> DeliveryFilter:
    """`base`, narrowed by every word: an id, a cause, a state, part of an endpoint's name, or a type or its beginning.

    `endpoint:`, `type:`, `cause:` and `state:` before a word say which is meant.

    Raises:
        InvalidInputError: a word is none of these.
    """
    where = base
    for word in text.split():
        where = _narrow(where, word, names)
    return where


def _narrow(where: DeliveryFilter, word: str, names: Mapping[EndpointId, str]) -> DeliveryFilter:
    kind, colon, value = word.partition(":")
    match kind if colon else _guess(word, names):
        case "delivery":
            return replace(where, ids=(*where.ids, DeliveryId(parse_number("dlv", word))))
        case "event":
            return replace(where, event_id=EventId(check_event_id(value if colon else word)))
        case "cause":
            return replace(where, causes=(*where.causes, *_causes(value if colon else word)))
        case "state":
            return replace(where, states=_states(value if colon else word))
        case "endpoint":
            return replace(where, endpoints=_endpoints(value if colon else word, names))
        case "type":
            return replace(where, type_pattern=_pattern(value if colon else word))
        case _:
            raise InvalidInputError(f"{kind}: is no filter: use endpoint:, type:, cause:, state: or event:")


def _guess(word: str, names: Mapping[EndpointId, str]) -> str:
    if word.startswith("dlv_"):
        return "delivery"
    if word.startswith("evt_"):
        return "event"
    if word in Cause._value2member_map_:
        return "cause"
    if word in _STATES:
        return "state"
    return "endpoint" if _with_name(word, names) else "type"


def _with_name(part: str, names: Mapping[EndpointId, str]) -> tuple[EndpointId, ...]:
    return tuple(number for number, name in names.items() if part.casefold() in name.casefold() or part == number)


def _endpoints(part: str, names: Mapping[EndpointId, str]) -> tuple[EndpointId, ...]:
    exact = tuple(number for number, name in names.items() if part == name)
    if found := exact or _with_name(part, names):
        return found
    raise InvalidInputError(f"no endpoint has {part!r} in its name")


def _causes(word: str) -> tuple[Cause, ...]:
    if word in Cause._value2member_map_:
        return (Cause(word),)
    raise InvalidInputError(f"{word!r} is no cause: one of {', '.join(Cause)}")


def _states(word: str) -> tuple[DeliveryState, ...]:
    if word in _STATES:
        return _STATES[word]
    raise InvalidInputError(f"{word!r} is no state here: failed or retrying")


def _pattern(word: str) -> str:
    """A type as it is; a word without a dot stands for everything below it too."""
    try:
        return check_pattern(word if "." in word or "*" in word else f"{word}.*")
    except InvalidInputError:
        raise InvalidInputError(
            f"nothing matches {word!r}: type an id, a cause, an endpoint or an event type"
        ) from None


def words_of(text: str) -> tuple[str, ...]:
    """The words of a filter over rows in memory, as `holds` compares them."""
    return tuple(text.lower().split())


def holds(words: Iterable[str], *parts: str | None) -> bool:
    """Whether every word is somewhere in the parts."""
    text = " ".join(part for part in parts if part).lower()
    return all(word in text for word in words)
