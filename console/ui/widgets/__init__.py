"""Widgets show frozen rows and post messages. They know no store, clock or settings."""
