"""``python -m gaia_explore`` is ``gaia-explore``."""

import sys

from gaia_explore.cli import main

if __name__ == "__main__":
    sys.exit(main())
