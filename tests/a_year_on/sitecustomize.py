"""Put on PYTHONPATH by `make notebooks`: the clock of every notebook kernel runs a year ahead."""

import datetime
import sys

if any("ipykernel" in word for word in sys.orig_argv):
    import time_machine

    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=366)
    time_machine.travel(ahead, tick=True).start()
