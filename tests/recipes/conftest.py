from tests.cli.conftest import console

__all__ = ["console"]
