"""The command line: ``partlabel demo | sources | aggregate | fit | predict | report``."""

from partlabel.cli.door import main

__all__ = ["main"]
