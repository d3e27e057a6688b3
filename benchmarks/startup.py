"""How long the command line and the library take to start, beside a bare Python.

Each command is started several times in a fresh process; the first start, which may have to read
from disk, is left out. Prints the median and the range in seconds.
"""

import statistics
import subprocess
import sys
import time

REPEATS = 9
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "partlabel --help": ["-m", "partlabel", "--help"],
    "partlabel fit --help": ["-m", "partlabel", "fit", "--help"],
    "import partlabel": ["-c", "import partlabel"],
    "import partlabel; partlabel.Votes": ["-c", "import partlabel; partlabel.Votes"],
    "from partlabel import PartialLabelClassifier": [
        "-c",
        "from partlabel import PartialLabelClassifier",
    ],
}


def seconds(arguments: list[str]) -> float:
    """How long one start takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    print(f"{'command':46} {'median':>8} {'fastest':>8} {'slowest':>8}")
    for name, arguments in COMMANDS.items():
        found = [seconds(arguments) for _ in range(REPEATS + 1)][1:]
        median = statistics.median(found)
        print(f"{name:46} {median:8.3f} {min(found):8.3f} {max(found):8.3f}")


if __name__ == "__main__":
    main()
