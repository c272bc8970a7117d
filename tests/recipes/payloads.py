"""What providers post, as each documents it."""

STRIPE_SUCCEEDED = """{
  "id": "evt_3PqL2kLkdIwHu7ix0w8zqQ4s",
  "object": "event",
  "api_version": "2024-06-20",
  "created": 1724836800,
  "data": {
    "object": {
      "id": "pi_3PqL2kLkdIwHu7ix0mK9cVYd",
      "object": "payment_intent",
      "amount": 4200,
      "amount_capturable": 0,
      "amount_received": 4200,
      "automatic_payment_methods": { "allow_redirects": "always", "enabled": true },
      "capture_method": "automatic_async",
      "currency": "eur",
      "customer": "cus_QhWx1mB5nYxD7z",
      "description": "Plan \\"Pro\\" – 1 month",
      "last_payment_error": null,
      "latest_charge": "ch_3PqL2kLkdIwHu7ix0YzH6mBh",
      "livemode": false,
      "metadata": { "plan": "pro" },
      "payment_method": "pm_1PqL2jLkdIwHu7ixVQpiG1mA",
      "payment_method_types": ["card", "link"],
      "receipt_email": "Jenny.Rosen@Example.com",
      "status": "succeeded"
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": { "id": "req_Kk0Q7wDEkJ8mFz", "idempotency_key": "f0c0e3f5-29b8-4d8a-9d0e-6f3c0f7c3f7e" },
  "type": "payment_intent.succeeded"
}"""

STRIPE_FAILED = """{
  "id": "evt_3PqL9xLkdIwHu7ix1cQv3R2T",
  "object": "event",
  "api_version": "2024-06-20",
  "created": 1724840400,
  "data": {
    "object": {
      "id": "pi_3PqL9xLkdIwHu7ix1Xa0Zb2c",
      "object": "payment_intent",
      "amount": 500,
      "amount_received": 0,
      "currency": "jpy",
      "customer": null,
      "last_payment_error": {
        "charge": "ch_3PqL9xLkdIwHu7ix1oPq8sTu",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "doc_url": "https://stripe.com/docs/error-codes/card-declined",
        "message": "Your card has insufficient funds.",
        "type": "card_error"
      },
      "metadata": {},
      "receipt_email": "taro@example.jp",
      "status": "requires_payment_method"
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": { "id": null, "idempotency_key": null },
  "type": "payment_intent.payment_failed"
}"""

TYPEFORM = """{
  "event_id": "LtWXD3crgy",
  "event_type": "form_response",
  "form_response": {
    "form_id": "lT4Z3j",
    "token": "a3a12ec67a1365927098a606107fac15",
    "submitted_at": "2018-01-18T18:17:02Z",
    "landed_at": "2018-01-18T18:07:02Z",
    "calculated": { "score": 9 },
    "definition": {
      "id": "lT4Z3j",
      "title": "Webhooks example",
      "fields": [
        { "id": "DlXFaesGBpoF", "title": "Tell us <about> you & yours", "type": "long_text",
          "ref": "readable_ref_long_text", "allow_multiple_selections": false, "allow_other_choice": false },
        { "id": "SMEUb7VJz92Q", "title": "If you're OK with our city management following up, your email?",
          "type": "email", "ref": "readable_ref_email" },
        { "id": "JwWggjAKtOkA", "title": "What is your first name?", "type": "short_text",
          "ref": "readable_ref_short_text" },
        { "id": "KoJxDM3c6x8h", "title": "When would you have dinner?", "type": "date", "ref": "readable_ref_date" },
        { "id": "PNe8ZKBK8C2Q", "title": "Which pictures do you like?", "type": "picture_choice",
          "ref": "readable_ref_picture_choice", "allow_multiple_selections": true },
        { "id": "Q7M2XAwY04dW", "title": "On a scale of 1 to 5?", "type": "rating",
          "ref": "readable_ref_rating_or_scale" },
        { "id": "gFFf3xAkJKsr", "title": "You agree to our terms?", "type": "legal", "ref": "readable_ref_legal" },
        { "id": "k6TP9oLGgHjl", "title": "Which city do you live in?", "type": "multiple_choice",
          "ref": "readable_ref_city" }
      ]
    },
    "answers": [
      { "type": "text", "text": "It's \\"cold\\" <!channel> right now!",
        "field": { "id": "DlXFaesGBpoF", "type": "long_text" } },
      { "type": "email", "email": "laura@example.com", "field": { "id": "SMEUb7VJz92Q", "type": "email" } },
      { "type": "text", "text": "Laura", "field": { "id": "JwWggjAKtOkA", "type": "short_text" } },
      { "type": "date", "date": "2005-10-15", "field": { "id": "KoJxDM3c6x8h", "type": "date" } },
      { "type": "choices", "choices": { "labels": ["London", "Sydney"] },
        "field": { "id": "PNe8ZKBK8C2Q", "type": "picture_choice" } },
      { "type": "number", "number": 5, "field": { "id": "Q7M2XAwY04dW", "type": "rating" } },
      { "type": "boolean", "boolean": true, "field": { "id": "gFFf3xAkJKsr", "type": "legal" } },
      { "type": "choice", "choice": { "label": "London" },
        "field": { "id": "k6TP9oLGgHjl", "type": "multiple_choice" } }
    ]
  }
}"""

CALENDLY_CREATED = """{
  "created_at": "2024-08-28T17:51:19.000000Z",
  "created_by": "https://api.calendly.com/users/AAAAAAAAAAAAAAAA",
  "event": "invitee.created",
  "payload": {
    "cancel_url": "https://calendly.com/cancellations/AAAAAAAAAAAAAAAA",
    "created_at": "2024-08-28T17:51:18.327602Z",
    "email": "John.Doe@example.com",
    "event": "https://api.calendly.com/scheduled_events/AAAAAAAAAAAAAAAA",
    "first_name": null,
    "last_name": null,
    "name": "John van der Doe",
    "new_invitee": null,
    "no_show": null,
    "old_invitee": null,
    "payment": null,
    "questions_and_answers": [
      { "answer": "Our <API> & yours", "position": 0, "question": "What shall we talk about?" }
    ],
    "reconfirmation": null,
    "reschedule_url": "https://calendly.com/reschedulings/AAAAAAAAAAAAAAAA",
    "rescheduled": false,
    "routing_form_submission": null,
    "scheduled_event": {
      "created_at": "2024-08-28T17:51:18.327602Z",
      "end_time": "2024-08-30T15:30:00.000000Z",
      "event_guests": [],
      "event_memberships": [
        { "user": "https://api.calendly.com/users/AAAAAAAAAAAAAAAA", "user_email": "sales@example.com",
          "user_name": "Sales" }
      ],
      "event_type": "https://api.calendly.com/event_types/AAAAAAAAAAAAAAAA",
      "invitees_counter": { "total": 1, "active": 1, "limit": 1 },
      "location": { "type": "zoom", "status": "pushed", "join_url": "https://example.zoom.us/j/1" },
      "name": "30 Minute Meeting",
      "start_time": "2024-08-30T15:00:00.000000Z",
      "status": "active",
      "updated_at": "2024-08-28T17:51:18.327602Z",
      "uri": "https://api.calendly.com/scheduled_events/AAAAAAAAAAAAAAAA"
    },
    "scheduling_method": null,
    "status": "active",
    "text_reminder_number": null,
    "timezone": "America/New_York",
    "tracking": {
      "utm_campaign": null, "utm_source": "newsletter", "utm_medium": null, "utm_content": null, "utm_term": null,
      "salesforce_uuid": null
    },
    "updated_at": "2024-08-28T17:51:18.327602Z",
    "uri": "https://api.calendly.com/scheduled_events/AAAAAAAAAAAAAAAA/invitees/AAAAAAAAAAAAAAAA"
  }
}"""

GITHUB_PUSH = """{
  "ref": "refs/heads/main",
  "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
  "after": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
  "repository": {
    "id": 186853002,
    "name": "Hello-World",
    "full_name": "Codertocat/Hello-World",
    "private": false,
    "html_url": "https://github.com/Codertocat/Hello-World",
    "default_branch": "main"
  },
  "pusher": { "name": "Codertocat", "email": "21031067+Codertocat@users.noreply.github.com" },
  "sender": {
    "login": "Codertocat",
    "id": 21031067,
    "avatar_url": "https://avatars1.githubusercontent.com/u/21031067?v=4",
    "type": "User"
  },
  "created": false,
  "deleted": false,
  "forced": false,
  "base_ref": null,
  "compare": "https://github.com/Codertocat/Hello-World/compare/6113728f27ae...0d1a26e67d8f",
  "commits": [
    {
      "id": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
      "tree_id": "f9d2a07e9488b91af2641b26b9407fe22a451433",
      "distinct": true,
      "message": "Say \\"hello\\" to the world\\n\\nAnd to everybody in it.",
      "timestamp": "2019-05-15T15:20:41+02:00",
      "url": "https://github.com/Codertocat/Hello-World/commit/0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
      "author": { "name": "Codertocat", "email": "21031067+Codertocat@users.noreply.github.com",
        "username": "Codertocat" },
      "added": ["hello.py"],
      "removed": [],
      "modified": []
    }
  ],
  "head_commit": { "id": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c" }
}"""
