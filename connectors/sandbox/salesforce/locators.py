"""REST queries: pages of records, and the locators that lead from one to the next."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from connectors.sandbox.exchange import Reply, Request
from connectors.sandbox.salesforce.errors import malformed, refuse
from connectors.sandbox.salesforce.render import records
from connectors.sandbox.salesforce.soql import Bound, run
from connectors.sandbox.salesforce.soql_parse import parse
from connectors.sandbox.salesforce.state import VERSION, State
from connectors.sandbox.salesforce.wire import ALPHABET, DAY
from connectors.sandbox.wire import dumps

LARGEST, SMALLEST = 2_000, 200
WIDE_VALUES = 60_000  # values on a page, at most: wide rows make smaller pages
MOST_OPEN = 200


@dataclass
class Result:
    """Rows found, until when they can be paged through, and how many a page holds."""

    bound: Bound
    ends: int
    size: int


class Queries:
    """Answers queries and the pages after the first.

    `page` is the size of a page, whatever is asked, if it is set; `repeat` repeats the last row
    of a page on the next; `judge` may refuse a query once it is known what it asks for.
    """

    def __init__(self, state: State, judge: Callable[[Bound], None]) -> None:
        self.state, self.judge = state, judge
        self.page: int | None = None
        self.repeat = False
        self.results: OrderedDict[str, Result] = OrderedDict()
        self.made = 0

    def first(self, request: Request, *, everything: bool) -> Reply:
        """Run a query and answer with its first page."""
        text = request.text("q")
        if not text.strip():
            raise malformed("SOQL statements cannot be empty or null")
        bound = run(self.state, parse(text), everything=everything)
        self.judge(bound)
        if bound.count:
            body = {"totalSize": len(bound.rows), "done": True, "records": []}
            return Reply(200, dumps(body).encode())
        result = Result(bound, self.state.now + 2 * DAY, self._size(request, bound))
        name = ""
        if len(bound.rows) > result.size:
            name = self._name()
            self.results[name] = result
            if len(self.results) > MOST_OPEN:
                self.results.popitem(last=False)
        return self._answer(name, result, 0)

    def _size(self, request: Request, bound: Bound) -> int:
        options = request.headers.get("sforce-query-options", "").replace(" ", "").lower()
        _, _, asked = options.partition("batchsize=")
        size = min(max(int(asked), SMALLEST), LARGEST) if asked.isdigit() else LARGEST
        size = min(size, max(SMALLEST, WIDE_VALUES // max(len(bound.columns), 1)))
        return min(size, self.page or size)

    def _name(self) -> str:
        """Make a locator: nobody can tell the next from the last."""
        self.made += 1
        number, text = self.made * 2_654_435_761 % 62**7, ""
        for _ in range(7):
            number, rest = divmod(number, 62)
            text += ALPHABET[rest]
        return f"0r8xx{text}AAAQ"

    def following(self, locator: str) -> Reply:
        """Answer with a page after the first.

        Raises
        ------
        Refusal
            INVALID_QUERY_LOCATOR if the result is not kept (any more).
        """
        name, _, start = locator.rpartition("-")
        result = self.results.get(name)
        if result is None or not start.isdigit() or self.state.now > result.ends:
            raise refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._answer(name, result, int(start))

    def forget(self, locator: str) -> None:
        """Let a result expire."""
        self.results.pop(locator.rpartition("-")[0], None)

    def _answer(self, name: str, result: Result, start: int) -> Reply:
        bound, end = result.bound, start + result.size
        done = end >= len(bound.rows)
        begin = start - 1 if self.repeat and start else start
        texts = records(self.state, bound.kind, bound.columns, bound.rows[begin:end])
        more = "" if done else f'"nextRecordsUrl":"/services/data/v{VERSION}/query/{name}-{end}",'
        text = (
            f'{{"totalSize":{len(bound.rows)},"done":{"true" if done else "false"},{more}'
            f'"records":[{",".join(texts)}]}}'
        )
        return Reply(200, text.encode())
