"""`python -m tools.tune`."""

import sys

from tools.loadtools.command import run
from tools.tune.command import tune

if __name__ == "__main__":
    sys.exit(run(lambda: tune(sys.argv[1:], say=lambda line: print(line, flush=True))))
