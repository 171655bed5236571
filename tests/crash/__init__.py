"""Random schedules of requests and crashes, run against the real thing: `python -m tests.crash --help`.

A schedule is what one client does (`schedule.py`), with a worker process that is killed, stopped or cut off
from the database at a boundary of a statement or of the model's answer (`boundaries.py`). Workers are forked
from a process that has imported everything (`fork_server.py`, `workers.py`), so one starts quickly. The
client records what was acknowledged (`client.py`), and after each schedule its record, the rows and what a
reload shows must agree (`invariants.py`).
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "parley" / "python"

# Found as on Lambda, where a layer's folder is on the path and nothing is installed.
if str(LAYER) not in sys.path:
    sys.path.insert(0, str(LAYER))
