"""A server that behaves like HubSpot: the command line of `connectors.sandbox.hubspot`.

Run ``python tests/emulators/hubspot.py --port 8080 --deals 1000 --seed 1``; ``--help`` lists the
rest. It accepts the token ``pat-na1-local``.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # not this folder: its hubspot would hide the package of that name
    from connectors.files import read_folder
    from connectors.sandbox.hubspot import command

    given = command.options()
    frames = read_folder(ROOT / "data" / "samples").frames if given.sample else None
    raise SystemExit(command.run(given, frames))
