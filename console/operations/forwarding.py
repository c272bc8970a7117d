"""The audit of requests that an operator sends on to a URL by hand: begun before the request is made, so that none is
made which the log does not show."""

from console.domain.change import Change
from console.domain.ids import OperationId, format_number
from console.domain.inbound import RequestId
from console.domain.operation import OperationKind
from console.domain.redaction import redact_url
from console.store.protocol import Store


def begin_forward(store: Store, request_id: RequestId, url: str, *, actor: str, now_ms: int) -> OperationId:
    """A request of the inbox is about to be sent to a URL. Raises UnknownReferenceError when it is not there."""
    with store.transaction():
        store.arrival(request_id)
        number, shown = format_number("req", request_id), redact_url(url)
        return store.begin_operation(
            OperationKind.EVENT_RESEND,
            actor=actor,
            target=f"{number} to {shown}",
            reason=None,
            now_ms=now_ms,
            change=Change(subject=number, after={"url": shown}),
        )


def end_forward(store: Store, operation_id: OperationId, result: str, *, now_ms: int) -> None:
    """What came of it: `HTTP 200`, or why nothing came back."""
    store.progress_operation(operation_id, done=1, result=result, finished_at_ms=now_ms)
