"""Believable events without end: a lead form, payments that succeed and fail, subscriptions, meetings, mail, parcels.

People come back: a lead books a meeting, a payment that failed belongs to somebody with a name. Every address is in a
reserved domain or network, so nothing here can reach a real person.
"""

import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, TypeVar

from console.demo.vocabulary import (
    BOUNCES,
    CAMPAIGNS,
    CARRIERS,
    COMPANIES,
    DECLINES,
    DOMAINS,
    GOODS,
    HOSTS,
    MEETINGS,
    NAMES,
    PLANS,
    TEMPLATES,
    WHOLE_UNITS,
)
from console.domain.clock import Clock, SystemClock

Payload = dict[str, object]
T = TypeVar("T")

WEIGHTS: dict[str, int] = {
    "lead.created": 18,
    "payment.succeeded": 22,
    "payment.failed": 8,
    "subscription.created": 6,
    "subscription.canceled": 3,
    "invoice.finalized": 7,
    "invoice.paid": 6,
    "meeting.booked": 8,
    "meeting.canceled": 3,
    "email.delivered": 10,
    "email.bounced": 3,
    "order.shipped": 6,
}
"""How often each type happens, of 100."""

_REMEMBERED = 200
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    id: str
    given_name: str
    family_name: str
    email: str
    country: str
    currency: str
    company: str

    @property
    def name(self) -> str:
        if self.country in {"JP", "TW", "KR"}:
            return f"{self.family_name} {self.given_name}"
        return f"{self.given_name} {self.family_name}"


class DemoEvents:
    """An endless iterator of (type, payload): same seed and same times, same events.

    Payloads are JSON values of about 300 to 1,500 bytes; amounts are in the currency's minor unit.
    """

    def __init__(self, seed: int, clock: Clock | None = None) -> None:
        self._rng = random.Random(seed)
        self._clock = clock or SystemClock()
        self._people: deque[_Person] = deque(maxlen=_REMEMBERED)
        self._subscriptions: deque[Payload] = deque(maxlen=_REMEMBERED)
        self._invoices: deque[Payload] = deque(maxlen=_REMEMBERED)
        self._meetings: deque[Payload] = deque(maxlen=_REMEMBERED)
        self._builders = {
            "lead.created": self._lead,
            "payment.succeeded": self._payment_succeeded,
            "payment.failed": self._payment_failed,
            "subscription.created": self._subscription_created,
            "subscription.canceled": self._subscription_canceled,
            "invoice.finalized": self._invoice_finalized,
            "invoice.paid": self._invoice_paid,
            "meeting.booked": self._meeting_booked,
            "meeting.canceled": self._meeting_canceled,
            "email.delivered": self._email_delivered,
            "email.bounced": self._email_bounced,
            "order.shipped": self._order_shipped,
        }
        self._types, self._weights = tuple(WEIGHTS), tuple(WEIGHTS.values())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[str, Payload]:
        return self.at(self._clock.now_ms())

    def at(self, now_ms: int) -> tuple[str, Payload]:
        """The next event, happening at `now_ms` (UTC epoch milliseconds)."""
        (event_type,) = self._rng.choices(self._types, self._weights)
        return event_type, self._builders[event_type](now_ms)

    # People and things that come back

    def _new_person(self) -> _Person:
        given, family, country, currency, mailbox = self._rng.choice(NAMES)
        person = _Person(
            id=self._id("cus"),
            given_name=given,
            family_name=family,
            email=f"{mailbox}+{self._rng.randrange(1000)}@{self._rng.choice(DOMAINS)}",
            country=country,
            currency=currency,
            company=self._rng.choice(COMPANIES),
        )
        self._people.append(person)
        return person

    def _person(self) -> _Person:
        return self._rng.choice(self._people) if self._people else self._new_person()

    def _id(self, prefix: str) -> str:
        letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"
        return f"{prefix}_{''.join(self._rng.choices(letters, k=20))}"

    def _price(self, minor: int, currency: str) -> int:
        return max(1, minor // 100) * 100 if currency in WHOLE_UNITS else minor

    def _take(self, things: deque[T]) -> T | None:
        """Take one out at random, so that nothing is paid or canceled twice."""
        if not things:
            return None
        things.rotate(self._rng.randrange(len(things)))
        return things.popleft()

    # One builder for each type

    def _lead(self, now_ms: int) -> Payload:
        person = self._new_person()
        source, medium, campaign = self._rng.choice(CAMPAIGNS)
        return {
            "object": "lead",
            "id": self._id("lead"),
            "created_at": _iso(now_ms),
            "contact": {
                "first_name": person.given_name,
                "last_name": person.family_name,
                "full_name": person.name,
                "email": person.email,
                "phone": f"+1 202 555 01{self._rng.randrange(100):02}",
                "country": person.country,
            },
            "company": {"name": person.company, "employees": self._rng.choice(("1-10", "11-50", "51-200", "201-1000"))},
            "form": {"id": "form_pricing", "name": "Talk to sales", "page": "https://www.example.com/pricing"},
            "message": self._rng.choice(
                ("How much is it for 40 seats?", "Können wir nächste Woche sprechen?", "¿Tienen factura europea? 🙏")
            ),
            "utm": {"source": source, "medium": medium, "campaign": campaign},
            "ip": f"203.0.113.{self._rng.randrange(1, 255)}",
            "consent": {"marketing": self._rng.random() < 0.6, "given_at": _iso(now_ms - 900)},
        }

    def _payment(self, now_ms: int) -> Payload:
        person = self._person()
        return {
            "object": "payment",
            "id": self._id("pay"),
            "created_at": _iso(now_ms),
            "amount": self._price(self._rng.choice((900, 1299, 2400, 4900, 7950, 19900, 124900)), person.currency),
            "currency": person.currency,
            "customer": {"id": person.id, "name": person.name, "email": person.email},
            "payment_method": {
                "type": "card",
                "card": {
                    "brand": self._rng.choice(("visa", "mastercard", "amex")),
                    "last4": f"{self._rng.randrange(10_000):04}",
                    "exp_month": self._rng.randrange(1, 13),
                    "exp_year": 2026 + self._rng.randrange(6),
                    "country": person.country,
                },
            },
            "description": f"Order {self._rng.randrange(10_000, 99_999)}",
        }

    def _payment_succeeded(self, now_ms: int) -> Payload:
        payment = self._payment(now_ms)
        return payment | {
            "status": "succeeded",
            "captured_at": _iso(now_ms),
            "receipt_url": f"https://pay.example.com/receipts/{payment['id']}",
            "risk": {"score": self._rng.randrange(1, 60), "level": "normal"},
        }

    def _payment_failed(self, now_ms: int) -> Payload:
        code, decline_code, message = self._rng.choice(DECLINES)
        attempt = self._rng.randrange(1, 4)
        return self._payment(now_ms) | {
            "status": "failed",
            "failure": {"code": code, "decline_code": decline_code, "message": message},
            "attempt_count": attempt,
            "next_retry_at": _iso(now_ms + 2 * _DAY_MS) if attempt < 3 else None,
        }

    def _subscription(self, now_ms: int) -> Payload:
        person = self._person()
        plan, minor = self._rng.choice(PLANS)
        return {
            "object": "subscription",
            "id": self._id("sub"),
            "created_at": _iso(now_ms),
            "customer": {"id": person.id, "name": person.name, "email": person.email},
            "plan": {
                "id": f"plan_{plan}_monthly",
                "name": plan.title(),
                "amount": self._price(minor, person.currency),
                "currency": person.currency,
                "interval": "month",
            },
            "quantity": self._rng.choice((1, 1, 1, 3, 5, 12)),
        }

    def _subscription_created(self, now_ms: int) -> Payload:
        subscription = self._subscription(now_ms)
        self._subscriptions.append(subscription)
        return subscription | {
            "status": "active",
            "current_period": {"start": _iso(now_ms), "end": _iso(now_ms + 30 * _DAY_MS)},
        }

    def _subscription_canceled(self, now_ms: int) -> Payload:
        subscription = self._take(self._subscriptions) or self._subscription(now_ms - 40 * _DAY_MS)
        reason = self._rng.choice(("too_expensive", "missing_features", "switched_service", "payment_failed"))
        return subscription | {
            "status": "canceled",
            "canceled_at": _iso(now_ms),
            "cancellation": {"reason": reason, "comment": None, "at_period_end": reason != "payment_failed"},
        }

    def _invoice(self, now_ms: int) -> Payload:
        person = self._person()
        plan, minor = self._rng.choice(PLANS)
        seats = self._rng.choice((1, 3, 5))
        amount = self._price(minor, person.currency)
        total = amount * seats
        return {
            "object": "invoice",
            "id": self._id("inv"),
            "number": f"2026-{self._rng.randrange(100_000):05}",
            "created_at": _iso(now_ms),
            "customer": {"id": person.id, "name": person.name, "email": person.email, "company": person.company},
            "currency": person.currency,
            "lines": [
                {"description": f"{plan.title()} plan", "quantity": seats, "unit_amount": amount, "amount": total}
            ],
            "total": total,
            "due_at": _iso(now_ms + 14 * _DAY_MS),
        }

    def _invoice_finalized(self, now_ms: int) -> Payload:
        invoice = self._invoice(now_ms)
        self._invoices.append(invoice)
        return invoice | {"status": "open", "amount_due": invoice["total"], "amount_paid": 0}

    def _invoice_paid(self, now_ms: int) -> Payload:
        invoice = self._take(self._invoices) or self._invoice(now_ms - 3 * _DAY_MS)
        return invoice | {
            "status": "paid",
            "amount_due": 0,
            "amount_paid": invoice["total"],
            "paid_at": _iso(now_ms),
            "payment": self._id("pay"),
        }

    def _meeting(self, now_ms: int) -> Payload:
        person = self._person()
        title, minutes = self._rng.choice(MEETINGS)
        host, host_email = self._rng.choice(HOSTS)
        quarter_ms = 900_000
        starts_ms = (now_ms + self._rng.randrange(_DAY_MS, 14 * _DAY_MS)) // quarter_ms * quarter_ms
        meeting_id = self._id("mtg")
        return {
            "object": "meeting",
            "id": meeting_id,
            "created_at": _iso(now_ms),
            "event_type": {"name": title, "duration_minutes": minutes},
            "starts_at": _iso(starts_ms),
            "ends_at": _iso(starts_ms + minutes * 60_000),
            "invitee": {"name": person.name, "email": person.email, "timezone": "Europe/Madrid"},
            "host": {"name": host, "email": host_email},
            "location": {"type": "video", "join_url": f"https://meet.example.com/{meeting_id}"},
            "questions": [{"question": "What would you like to talk about?", "answer": "Webhooks that get lost"}],
        }

    def _meeting_booked(self, now_ms: int) -> Payload:
        meeting = self._meeting(now_ms)
        self._meetings.append(meeting)
        return meeting | {"status": "active"}

    def _meeting_canceled(self, now_ms: int) -> Payload:
        meeting = self._take(self._meetings) or self._meeting(now_ms - _DAY_MS // 2)
        canceler, reason = self._rng.choice((("invitee", "Me surgió un viaje"), ("host", "Public holiday")))
        return meeting | {
            "status": "canceled",
            "cancellation": {"canceled_by": canceler, "reason": reason, "canceled_at": _iso(now_ms)},
        }

    def _email(self, now_ms: int, *, sent_ms_ago: int) -> Payload:
        person = self._person()
        template, subject = self._rng.choice(TEMPLATES)
        return {
            "object": "email",
            "id": self._id("msg"),
            "message_id": f"<{self._id('m')}@mail.example.com>",
            "to": {"name": person.name, "email": person.email},
            "from": {"name": "Example Inc.", "email": "hello@example.com"},
            "subject": subject,
            "template": template,
            "tags": [template, "transactional"],
            "sent_at": _iso(now_ms - sent_ms_ago),
        }

    def _email_delivered(self, now_ms: int) -> Payload:
        took_ms = self._rng.randrange(400, 9000)
        return self._email(now_ms, sent_ms_ago=took_ms) | {
            "delivered_at": _iso(now_ms),
            "delivery": {"smtp_code": 250, "response": "250 2.0.0 OK", "took_ms": took_ms, "tls": "TLSv1.3"},
        }

    def _email_bounced(self, now_ms: int) -> Payload:
        kind, status, response = self._rng.choice(BOUNCES)
        return self._email(now_ms, sent_ms_ago=self._rng.randrange(400, 9000)) | {
            "bounced_at": _iso(now_ms),
            "bounce": {"type": kind, "status": status, "diagnostic": response, "suppressed": kind == "hard"},
        }

    def _order_shipped(self, now_ms: int) -> Payload:
        person = self._person()
        carrier, prefix = self._rng.choice(CARRIERS)
        tracking = f"{prefix}{self._rng.randrange(10**10):010}"
        items = [
            {
                "sku": sku,
                "name": name,
                "quantity": self._rng.randrange(1, 4),
                "unit_amount": self._price(minor, person.currency),
            }
            for sku, name, minor in self._rng.sample(GOODS, self._rng.randrange(1, len(GOODS) + 1))
        ]
        return {
            "object": "order",
            "id": self._id("ord"),
            "status": "shipped",
            "shipped_at": _iso(now_ms),
            "customer": {"id": person.id, "name": person.name, "email": person.email},
            "currency": person.currency,
            "items": items,
            "shipment": {
                "carrier": carrier,
                "tracking_number": tracking,
                "tracking_url": f"https://track.example.net/{tracking}",
                "country": person.country,
                "estimated_delivery": _iso(now_ms + 3 * _DAY_MS)[:10],
            },
        }


def _iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
