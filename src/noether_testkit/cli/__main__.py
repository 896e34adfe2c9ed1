"""`python -m noether_testkit.cli`."""

import sys

from noether_testkit.cli import main

sys.exit(main())
