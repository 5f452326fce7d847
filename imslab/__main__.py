"""``python -m imslab``: the command line where the ``imslab`` program is not on PATH."""

import sys

from imslab.cli import main

sys.exit(main())
