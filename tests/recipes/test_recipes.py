"""Each recipe as its users have it: applied, posted to as the provider posts, and what arrives at the others' APIs."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from console.cli.invocation import Invocation
from console.cli.main import run
from console.operations.configuration_reading import read_configuration
from console.recipes import Recipe, recipes
from console.store import open_store
from tests.cli.support import CommandLine
from tests.recipes.payloads import CALENDLY_CREATED, GITHUB_PUSH, STRIPE_FAILED, STRIPE_SUCCEEDED, TYPEFORM
from tests.recipes.receiving import Received, Receiver, receiving
from tests.served import serving

SECRETS = {
    "FORM_TOKEN": "the-token-of-the-form", "TYPEFORM_SECRET": "typeform-secret", "ANYTHING_TOKEN": "any-token-at-all",
    "STRIPE_WEBHOOK_SECRET": "whsec_5f0c1b7a9d3e4c2f8b6a7d9e", "CALENDLY_SIGNING_KEY": "calendly-signing-key",
    "GITHUB_WEBHOOK_SECRET": "github-secret", "POSTMARK_TOKEN": "postmark-token", "HUBSPOT_TOKEN": "hubspot-token",
    "MAILCHIMP_AUTH": "any:mailchimp-key",
}  # fmt: skip
URLS = {
    "SLACK_WEBHOOK_URL": "/slack", "PROVISIONING_URL": "/provisioning", "MAILCHIMP_LIST_URL": "/3.0/lists/a1b2c3",
    "DISCORD_WEBHOOK_URL": "/discord", "TEAMS_WEBHOOK_URL": "/teams", "ZAPIER_HOOK_URL": "/zapier",
    "MAKE_HOOK_URL": "/make",
}  # fmt: skip
HUBSPOT, POSTMARK = "/crm/v3/objects/contacts/batch/upsert", "/email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An engine with every recipe in its store."""

    url: str
    store: Path
    receiver: Receiver

    def post(self, path: str, body: str | bytes, **headers: str) -> int:
        """The status that a provider is answered with."""
        data = body.encode() if isinstance(body, str) else body
        named = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        request = urllib.request.Request(f"{self.url}/in/{path}", data=data, headers=named)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    def take(self, *paths: str) -> list[Any]:
        """What arrives at these paths of others, as JSON, in the order of the paths."""
        by_path = {one.path: one for one in self.receiver.take(len(paths))}
        assert sorted(by_path) == sorted(paths)
        return [json.loads(by_path[path].body) for path in paths]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("recipes")
    with receiving() as receiver:
        environ = SECRETS | {name: receiver.url + path for name, path in URLS.items()}
        for recipe in recipes():
            file = folder / f"{recipe.name}.toml"
            text = recipe.text
            for host in ("https://api.postmarkapp.com", "https://api.hubapi.com"):
                text = text.replace(host, receiver.url)
            file.write_text(text)
            store = {"WEBHOOK_CONSOLE_STORE": str(folder / "store.db")}
            assert run(("apply", str(file)), Invocation(environ=environ | store)) == 0
        with serving(folder / "store.db", "--listen=127.0.0.1:0") as served:
            port = served.wait_for_log("listening")["port"]
            yield Stage(url=f"http://127.0.0.1:{port}", store=folder / "store.db", receiver=receiver)


def signed(secret: str, body: str) -> str:
    """As Stripe and Calendly sign."""
    at = int(time.time())
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.{body}'.encode(), hashlib.sha256).hexdigest()}"


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_form_lead_to_slack(stage: Stage) -> None:
    body = "name=Ada+Lovelace&email=ada%40example.com&company=Engines+%26+Co&message=Call+me%0A%3C%21channel%3E"
    form = "application/x-www-form-urlencoded"
    assert stage.post(f"form?token={SECRETS['FORM_TOKEN']}", body, content_type=form) == 202
    (message,) = stage.take("/slack")
    received = message["blocks"].pop()
    assert message == {
        "text": "New lead: Ada Lovelace",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "New lead: Ada Lovelace"}},
            {
                "type": "section",
                "fields": [
                    {"type": "mrkdwn", "text": "*Email*\nada@example.com"},
                    {"type": "mrkdwn", "text": "*Company*\nEngines &amp; Co"},
                ],
            },
            section("Call me\n&lt;!channel&gt;"),
        ],
    }
    assert received["elements"][0]["text"].startswith("Received ")
    assert stage.post("form?token=guessed", body, content_type=form) == 401


def test_typeform_to_slack(stage: Stage) -> None:
    digest = hmac.new(SECRETS["TYPEFORM_SECRET"].encode(), TYPEFORM.encode(), hashlib.sha256).digest()
    assert stage.post("typeform", TYPEFORM, Typeform_Signature=f"sha256={b64encode(digest).decode()}") == 202
    (message,) = stage.take("/slack")
    assert message == {
        "text": "New response: Webhooks example",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "Webhooks example"}},
            section('*Tell us &lt;about&gt; you &amp; yours*\nIt\'s "cold" &lt;!channel&gt; right now!'),
            section("*If you're OK with our city management following up, your email?*\nlaura@example.com"),
            section("*What is your first name?*\nLaura"),
            section("*When would you have dinner?*\n2005-10-15"),
            section("*Which pictures do you like?*\nLondon, Sydney"),
            section("*On a scale of 1 to 5?*\n5"),
            section("*You agree to our terms?*\nyes"),
            section("*Which city do you live in?*\nLondon"),
        ],
    }
    assert stage.post("typeform", TYPEFORM + " ", Typeform_Signature=f"sha256={b64encode(digest).decode()}") == 401


def test_stripe_payment_succeeded(stage: Stage) -> None:
    signature = signed(SECRETS["STRIPE_WEBHOOK_SECRET"], STRIPE_SUCCEEDED)
    for _ in range(2):  # the second one as a retry of Stripe's: accepted, and no new event
        assert stage.post("stripe", STRIPE_SUCCEEDED, Stripe_Signature=signature) == 202
    crm, email, provisioning = stage.receiver.take(3)
    assert (crm.path, email.path, provisioning.path) == (HUBSPOT, POSTMARK, "/provisioning")
    assert json.loads(provisioning.body) == {
        "action": "activate",
        "customer": "cus_QhWx1mB5nYxD7z",
        "email": "Jenny.Rosen@Example.com",
        "reference": "pi_3PqL2kLkdIwHu7ix0mK9cVYd",
        "plan": "pro",
        "amount": 4200,
        "currency": "EUR",
        "paid_at": "2024-08-28T09:20:00Z",
    }
    with closing(open_store(stage.store, read_only=True)) as store:
        secret = store.find_endpoint("stripe-provisioning").secrets[0].text
    Webhook(secret).verify(provisioning.body, provisioning.headers)
    assert json.loads(email.body) == {
        "From": "billing@example.com",
        "To": "Jenny.Rosen@Example.com",
        "Subject": "Your payment of 42.00 EUR",
        "TextBody": "Thank you! We have received 42.00 EUR on 28 August 2024."
        "\n\nReference: pi_3PqL2kLkdIwHu7ix0mK9cVYd\n",
        "MessageStream": "outbound",
        "Metadata": {"event": "stripe_evt_3PqL2kLkdIwHu7ix0w8zqQ4s"},
    }
    assert email.headers["x-postmark-server-token"] == SECRETS["POSTMARK_TOKEN"]
    assert contact(crm) == {
        "email": "jenny.rosen@example.com",
        "stripe_customer_id": "cus_QhWx1mB5nYxD7z",
        "last_payment_status": "paid",
        "last_payment_amount": "42.00 EUR",
        "last_payment_at": "2024-08-28T09:20:00Z",
    }


def contact(crm: Received) -> dict[str, str]:
    """The properties of the one contact that HubSpot is told of."""
    assert crm.headers["authorization"] == f"Bearer {SECRETS['HUBSPOT_TOKEN']}"
    (one,) = json.loads(crm.body)["inputs"]
    assert (one["idProperty"], one["id"]) == ("email", one["properties"]["email"])
    properties: dict[str, str] = one["properties"]
    return properties


def test_stripe_payment_failed(stage: Stage) -> None:
    signature = signed(SECRETS["STRIPE_WEBHOOK_SECRET"], STRIPE_FAILED)
    assert stage.post("stripe", STRIPE_FAILED, Stripe_Signature=signature) == 202
    crm, email = stage.receiver.take(2)
    assert (email.path, json.loads(email.body)) == (
        POSTMARK,
        {
            "From": "billing@example.com",
            "To": "taro@example.jp",
            "Subject": "Your payment of 500 JPY did not go through",
            "TextBody": "Your card has insufficient funds.\n\nNothing was charged. Please try another way of paying."
            "\n\nReference: pi_3PqL9xLkdIwHu7ix1Xa0Zb2c\n",
            "MessageStream": "outbound",
            "Metadata": {"event": "stripe_evt_3PqL9xLkdIwHu7ix1cQv3R2T"},
        },
    )
    assert contact(crm) == {
        "email": "taro@example.jp",
        "stripe_customer_id": "",
        "last_payment_status": "failed",
        "last_payment_amount": "500 JPY",
        "last_payment_at": "2024-08-28T10:20:00Z",
    }


def test_calendly_booking_to_three_places(stage: Stage) -> None:
    signature = signed(SECRETS["CALENDLY_SIGNING_KEY"], CALENDLY_CREATED)
    assert stage.post("calendly", CALENDLY_CREATED, Calendly_Webhook_Signature=signature) == 202
    members, crm, slack = stage.receiver.take(3)
    assert (members.path, b64decode(members.headers["authorization"].removeprefix("Basic "))) == (
        URLS["MAILCHIMP_LIST_URL"],
        b"any:mailchimp-key",
    )
    assert json.loads(members.body) == {
        "members": [
            {
                "email_address": "john.doe@example.com",
                "status": "subscribed",
                "merge_fields": {"FNAME": "John", "LNAME": "van der Doe"},
                "tags": ["Booked", "30 Minute Meeting"],
            }
        ],
        "update_existing": True,
    }
    assert contact(crm) == {
        "email": "john.doe@example.com",
        "firstname": "John",
        "lastname": "van der Doe",
        "next_meeting": "2024-08-30T15:00:00Z",
        "lead_source": "newsletter",
    }
    assert json.loads(slack.body) == {
        "text": "Booked: 30 Minute Meeting with John van der Doe",
        "blocks": [
            section("*Booked: 30 Minute Meeting*\nJohn van der Doe (John.Doe@example.com)\nFri 30 Aug 2024, 15:00 UTC"),
            section("*What shall we talk about?*\nOur &lt;API&gt; &amp; yours"),
        ],
    }


def test_github_push_to_discord_and_teams(stage: Stage) -> None:
    def push(body: str, delivery: str) -> int:
        digest = hmac.new(SECRETS["GITHUB_WEBHOOK_SECRET"].encode(), body.encode(), hashlib.sha256).hexdigest()
        return stage.post("github", body, X_GitHub_Event="push", X_GitHub_Delivery=delivery,
                          X_Hub_Signature_256=f"sha256={digest}")  # fmt: skip

    removed = json.dumps({**json.loads(GITHUB_PUSH), "commits": [], "deleted": True})
    assert push(removed, "9d7c1a5e-0000-4000-8000-000000000001") == 202
    assert push(GITHUB_PUSH, "72d3162e-cc78-11e3-81ab-4c9367dc0958") == 202
    discord, teams = stage.take("/discord", "/teams")
    commit = "https://github.com/Codertocat/Hello-World/commit/0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c"
    compare = "https://github.com/Codertocat/Hello-World/compare/6113728f27ae...0d1a26e67d8f"
    assert discord == {
        "username": "GitHub",
        "embeds": [
            {
                "title": "Codertocat/Hello-World:main: 1 commit",
                "url": compare,
                "color": 3066993,
                "author": {
                    "name": "Codertocat",
                    "icon_url": "https://avatars1.githubusercontent.com/u/21031067?v=4",
                },
                "fields": [
                    {"name": "`0d1a26e` Codertocat", "value": f'[Say "hello" to the world]({commit})'},
                ],
            }
        ],
    }
    (card,) = teams["attachments"]
    assert (teams["type"], card["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert [block["text"] for block in card["content"]["body"]] == [
        "Codertocat pushed to Codertocat/Hello-World:main",
        f'[0d1a26e]({commit}) Say "hello" to the world',
    ]
    assert card["content"]["actions"] == [{"type": "Action.OpenUrl", "title": "Compare", "url": compare}]


def test_anything_to_catch_hooks(stage: Stage) -> None:
    data = {"order": 7, "lines": [{"sku": 'a"b', "price": 1.10}], "note": "naïve ☃", "none": None}
    assert stage.post("anything", json.dumps(data), Authorization=f"Bearer {SECRETS['ANYTHING_TOKEN']}") == 202
    zapier, make = stage.take("/zapier", "/make")
    assert zapier == make
    assert (zapier["type"], zapier["data"]) == ("anything.received", data)
    assert zapier["id"].startswith("evt_")


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.name)
def test_a_recipe_says_what_it_needs(recipe: Recipe, console: CommandLine, tmp_path: Path) -> None:
    head = recipe.text.partition("\n\n")[0]
    environ = {name: value for name, value in SECRETS.items() if f"{name} " in head}
    environ |= {name: f"https://example.com{path}" for name, path in URLS.items() if f"{name} " in head}
    wanted = read_configuration(recipe.text, name=recipe.name, folder=tmp_path, environ=environ)
    assert wanted.warnings == ()
    assert console("recipes", "show", recipe.name).out == recipe.text
    assert recipe.name in console("recipes", "list").out
    assert all(f"env:{name}" in recipe.text for name in environ), "and nothing more"


def test_one_that_is_not_there(console: CommandLine) -> None:
    missing = console("recipes", "show", "nothing")
    assert (missing.code, missing.err) == (
        1, "webhook-console: no recipe 'nothing': see `webhook-console recipes list`\n"
    )  # fmt: skip
