"""`python -m console` is `webhook-console`."""

import sys

from console.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
