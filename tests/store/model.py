"""What a store should hold, in a few dictionaries."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from console.domain.delivery import Delivered, Failed, Retry, Verdict
from console.domain.ids import DeliveryId, EndpointId
from console.domain.matching import first_match
from console.domain.work import Claimed


@dataclass(slots=True, kw_only=True)
class ModelEndpoint:
    seq: int
    id: EndpointId
    types: tuple[str, ...]
    schedule_s: tuple[float, ...]
    state: str = "active"
    removed: bool = False


@dataclass(slots=True, kw_only=True)
class ModelDelivery:
    endpoint: ModelEndpoint
    due_ms: int | None
    state: str = "pending"
    attempts: int = 0
    step: int = 0
    manual: bool = False

    def move(self, state: str, due_ms: int | None = None) -> None:
        self.state, self.due_ms = state, due_ms

    @property
    def held(self) -> bool:
        return self.state == "pending" and self.endpoint.state != "active"


@dataclass(slots=True, kw_only=True)
class Model:
    endpoints: dict[int, ModelEndpoint] = field(default_factory=dict)
    deliveries: dict[DeliveryId, ModelDelivery] = field(default_factory=dict)

    def present(self) -> list[ModelEndpoint]:
        return [e for e in self.endpoints.values() if not e.removed]

    def wanting(self, event_type: str) -> list[ModelEndpoint]:
        return [e for e in self.present() if first_match(e.types, event_type)]

    def next_due(self) -> dict[int, int]:
        due: dict[int, int] = {}
        for d in self.deliveries.values():
            if d.due_ms is not None:
                due[d.endpoint.seq] = min(d.due_ms, due.get(d.endpoint.seq, d.due_ms))
        return due

    def due_of(self, endpoint: ModelEndpoint, now_ms: int) -> list[DeliveryId]:
        """What may be claimed, the longest due first."""
        if endpoint.removed or endpoint.state != "active":
            return []
        due = [(d.due_ms, i) for i, d in self.deliveries.items() if d.endpoint is endpoint and d.due_ms is not None]
        return [i for due_ms, i in sorted(due) if due_ms <= now_ms]

    def claim(self, ids: Iterable[DeliveryId]) -> None:
        for i in ids:
            d = self.deliveries[i]
            d.move("sending")
            d.attempts += 1
            d.step += not d.manual

    def complete(self, claimed: Claimed, verdict: Verdict) -> None:
        d = self.deliveries[claimed.delivery_id]
        d.manual = False
        match verdict:
            case Delivered():
                d.move("delivered")
            case Retry(at_ms=at_ms):
                d.move("pending", at_ms)
            case Failed(disable_endpoint=disable):
                d.move("failed")
                if disable and not d.endpoint.removed:
                    d.endpoint.state = "disabled"

    def recover(self, now_ms: int) -> tuple[int, int]:
        """How many became pending, and how many failed."""
        before = [d for d in self.deliveries.values() if d.state == "sending"]
        for d in before:
            d.manual = False
            exhausted = d.step >= len(d.endpoint.schedule_s)
            d.move("failed" if exhausted else "pending", None if exhausted else now_ms)
        failed = sum(d.state == "failed" for d in before)
        return len(before) - failed, failed

    def retry(self, wanted: Callable[[ModelDelivery], bool], now_ms: int) -> int:
        moved = [d for d in self.deliveries.values() if wanted(d) and d.state != "sending" and not d.endpoint.removed]
        for d in moved:
            d.move("pending", now_ms)
            d.manual = True
        return len(moved)

    def cancel(self, wanted: Callable[[ModelDelivery], bool]) -> int:
        moved = [d for d in self.deliveries.values() if wanted(d) and d.state in ("pending", "failed")]
        for d in moved:
            d.move("cancelled")
        return len(moved)

    def tidy(self) -> None:
        self.cancel(lambda d: d.state == "pending" and d.endpoint.removed)
