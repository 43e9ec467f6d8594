"""`python -m coinsorter` is the `coinsorter` command."""

import sys

from coinsorter.cli import main

sys.exit(main())
