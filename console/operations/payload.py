"""Payloads from outside; the check itself is a decision of the domain."""

from console.domain.payload import check_payload, reason_of

__all__ = ["check_payload", "reason_of"]
