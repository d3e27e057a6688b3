"""``python -m partlabel`` is the command ``partlabel``."""

import sys

from partlabel.cli import main

if __name__ == "__main__":
    sys.exit(main())
