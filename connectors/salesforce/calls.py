"""An `Api` that may also end query jobs, which are its own and hold nothing of the org's."""

import re

from connectors.errors import ApiError
from connectors.http import Api, Call
from connectors.wire import checked_path

READS = re.compile(r"/services/data/v\d+\.\d/jobs/query")
"""The one path a POST may go to: a query job reads, and cannot do anything else."""
JOB = re.compile(rf"{READS.pattern}/\w+")
"""The paths that PATCH and DELETE may go to: one query job."""


class JobApi(Api):
    """Reads from one org; beyond `connectors.http.Api`, it stops and deletes query jobs.

    A query job is a question that the org works on by itself, and the file with its answer. Ending
    one changes no record. There is no way to send any other PATCH or DELETE.
    """

    def abort(self, path: str) -> None:
        """Stop a query job.

        Raises
        ------
        ApiError
            Before anything is sent, if the path is not that of a query job; else as `get`.

        """
        self._end("PATCH", path, {"json": {"state": "Aborted"}})

    def delete(self, path: str) -> None:
        """Delete a query job that has ended, with its results.

        Raises
        ------
        ApiError
            As `abort`.

        """
        self._end("DELETE", path, {})

    def _end(self, method: str, path: str, arguments: dict[str, object]) -> None:
        if JOB.fullmatch(checked_path(path)) is None:
            raise ApiError(f"{method} {path} was not sent: only query jobs are ended")
        self._ask(Call(method, path, arguments, "burst"))
