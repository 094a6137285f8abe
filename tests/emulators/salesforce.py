"""A server that behaves like Salesforce: the command line of `connectors.sandbox.salesforce`.

Run ``python tests/emulators/salesforce.py --port 8080 --opportunities 1000 --seed 1``; ``--help``
lists the rest. It accepts the token ``local-token``, or what the SALESFORCE_ variables name.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # not this folder: its salesforce would hide the package of that name
    from connectors.files import read_folder
    from connectors.sandbox.salesforce import command

    given = command.options()
    frames = read_folder(ROOT / "data" / "samples").frames if given.sample else None
    raise SystemExit(command.run(given, frames))
