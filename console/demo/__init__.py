"""The demo: receivers that misbehave on purpose, believable events, and everything started together."""
