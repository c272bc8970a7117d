"""webhook-console: signed webhooks from one machine, steered from a terminal."""

__version__ = "0.1.0"
