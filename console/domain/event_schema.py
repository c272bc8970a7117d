"""Schemas of event types: what a payload must look like to be let in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

SchemaId = NewType("SchemaId", int)


class SchemaMode(StrEnum):
    """What is done with a payload that does not match."""

    REJECT = "reject"
    FLAG = "flag"
    """It is accepted, and the event says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSchema:
    """A JSON Schema for the payloads of some types. The newest version counts."""

    id: SchemaId
    pattern: str
    """Of event types: `invoice.paid`, `invoice.*`. The most specific pattern that matches counts."""
    version: int
    """1, 2, … of this pattern."""
    mode: SchemaMode
    text: bytes
    """The schema, as JSON."""
    created_at_ms: int
    retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Where a payload does not match its schema, and why."""

    path: str
    """`data.amount`, `lines[3].sku`; empty: the payload as a whole."""
    reason: str
    """One line."""
    pattern: str
    version: int
    """Of the schema."""

    def __str__(self) -> str:
        where = self.path or "payload"
        return f"{where}: {self.reason} (schema {self.pattern} v{self.version})"
