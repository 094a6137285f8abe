"""Made-up deals: each from its number alone, the same every time."""

from bisect import insort
from collections.abc import Mapping, Sequence
from random import Random

from connectors.sandbox.hubspot.pipelines import Pipeline, Stage
from connectors.sandbox.hubspot.schema import SOURCES
from connectors.sandbox.hubspot.shelf import Entry, Record
from connectors.sandbox.hubspot.trade import home_amount, stage_values
from connectors.sandbox.hubspot.wire import DAY, HOUR, chance, iso, plain

UI, CALCULATED = "CRM_UI", "CALCULATED"
GONE_PIPELINE, GONE_STAGE = "26217583", "26217590"  # deleted long ago, some deals still name it
LOST_REASONS = ("Price", "No decision", "Competitor", "Timing", "")
FORECASTS = ("OMIT", "PIPELINE", "BEST_CASE", "COMMIT", "CLOSED")


class DealMaker:
    """Makes the deal of a row: its values and the history of stage, pipeline, amount, date, owner."""

    def __init__(
        self,
        seed: int,
        pipelines: Sequence[Pipeline],
        rates: Mapping[str, float],
        owners: Sequence[str],
    ) -> None:
        self.seed, self.rates, self.owners = seed, dict(rates), list(owners)
        # lists of their own: a stage deleted later does not change how deals once went
        self.paths = [
            (
                p.id,
                [s for s in p.stages if not s.closed],
                next(s for s in p.stages if s.won),
                next(s for s in p.stages if s.closed and not s.won),
            )
            for p in pipelines
        ]

    def make(self, row: int, record_id: int, created: int, modified: int) -> Record:
        """Make the deal of that row."""
        rng = chance(self.seed, 3, row)
        props, history, entered = self._way(rng, created, modified)
        closed = props["hs_is_closed"] == "true"
        ended = history["dealstage"][-1][0] if closed and history["dealstage"] else modified
        self._money(rng, created, ended, props, history)
        self._close_date(rng, created, ended if closed else 0, modified, props, history)
        self._owner(rng, created, ended, props, history)
        self._rest(rng, row, modified, props)
        return Record(record_id, created, modified, props, history, entered)

    def _way(
        self, rng: Random, created: int, modified: int
    ) -> tuple[dict[str, str], dict[str, tuple[Entry, ...]], dict[str, int]]:
        at = min(int(rng.random() * 4), 2) if rng.random() < 0.5 else 0
        pipeline, steps, won, lost = self.paths[at]
        stages = _walk(rng, steps, won, lost)
        times = _times(rng, len(stages), created, modified)
        way = [(t, s.id, UI) for t, s in zip(times, stages, strict=True)]
        pipes: list[Entry] = [(created, pipeline, UI)]
        if rng.random() < 0.03 and len(way) > 1:  # it began in another pipeline
            before = self.paths[(at + 1) % len(self.paths)]
            way[0] = (way[0][0], before[1][0].id, UI)
            pipes = [(created, before[0], UI), (way[1][0], pipeline, UI)]
        last = stages[-1]
        props = {"dealstage": way[-1][1], "pipeline": pipes[-1][1]} | stage_values(last)
        if len(way) == 1:
            props |= stage_values(stages[0])
        entered: dict[str, int] = {}
        odd = rng.random()
        if odd < 0.02:  # the history has lost its beginning; the stage dates still know
            cut = 1 if odd > 0.005 else len(way)
            entered = {value: t + 7 for t, value, _ in way[:cut]}  # never to the same millisecond
            way = way[cut:]
        elif odd < 0.023:
            props |= {"pipeline": GONE_PIPELINE, "dealstage": GONE_STAGE}
            way, pipes = [(created, GONE_STAGE, UI)], [(created, GONE_PIPELINE, UI)]
            props |= stage_values(None, won=False)
        return props, {"dealstage": tuple(way), "pipeline": tuple(pipes)}, entered

    def _money(
        self, rng: Random, created: int, ended: int, props: dict[str, str],
        history: dict[str, tuple[Entry, ...]],
    ) -> None:  # fmt: skip
        currency = "EUR" if rng.random() < 0.15 else "USD"
        if rng.random() < 0.97:
            props["deal_currency_code"] = currency
        else:
            currency = "USD"
        props["hs_exchange_rate"] = plain(self.rates.get(currency, 1.0))
        draw = rng.random()
        if draw < 0.05:
            return
        amount = round(rng.lognormvariate(9.3, 0.9), 2 if rng.random() < 0.3 else -1)
        values = [plain(amount)]
        if draw < 0.3:
            values.append(plain(round(amount * rng.uniform(0.6, 1.5), 2)))
        if draw < 0.07:
            values.append("" if draw < 0.06 else "0")
        entries = _spread(rng, values, created, ended)
        home = [(t, home_amount(v, currency, self.rates) or "", CALCULATED) for t, v, _ in entries]
        props["amount"], props["amount_in_home_currency"] = values[-1], home[-1][1]
        history["amount"], history["amount_in_home_currency"] = entries, tuple(home)
        if rng.random() < 0.4 and values[-1]:
            props["hs_mrr"] = plain(round(float(values[-1]) / 12, 2))

    def _close_date(
        self, rng: Random, created: int, closed: int, modified: int, props: dict[str, str],
        history: dict[str, tuple[Entry, ...]],
    ) -> None:  # fmt: skip
        if rng.random() < 0.03 and not closed:
            return
        planned, entries = created + rng.randint(5, 90) * DAY + rng.randint(0, 23) * HOUR, []
        short = rng.random() < 0.05
        entries.append((created, iso(planned, short=short), UI))
        moment = created
        while rng.random() < 0.35 and moment + 20 * DAY < (closed or modified):
            moment += rng.randint(5 * DAY, 20 * DAY)
            planned += rng.randint(7, 60) * DAY
            entries.append((moment, iso(planned), UI))
        if closed:
            if rng.random() < 0.03 and entries[-1][0] < closed - 1:
                entries.append((closed - 1, "", UI))
            insort(entries, (closed, iso(closed), CALCULATED))
            entries = [e for e in entries if e[0] < closed] + [(closed, iso(closed), CALCULATED)]
        props["closedate"] = entries[-1][1]
        history["closedate"] = tuple(entries)

    def _owner(
        self, rng: Random, created: int, ended: int, props: dict[str, str],
        history: dict[str, tuple[Entry, ...]],
    ) -> None:  # fmt: skip
        if rng.random() < 0.03:
            return
        held = [rng.choice(self.owners)]
        if rng.random() < 0.08:
            held.append(rng.choice([o for o in self.owners if o != held[0]]))
        entries = _spread(rng, held, created, ended)
        props["hubspot_owner_id"] = entries[-1][1]
        history["hubspot_owner_id"] = entries

    def _rest(self, rng: Random, row: int, modified: int, props: dict[str, str]) -> None:
        props["dealname"] = f"Deal {row + 1}" if row % 50 else f'Größe "{row}", Ø\nsecond line'
        kind = rng.random()
        if kind < 0.8:
            props["dealtype"] = (
                "newbusiness" if kind < 0.5 else "existingbusiness" if kind < 0.75 else "renewal"
            )
        if rng.random() < 0.9:
            props["hs_analytics_source"] = rng.choice(SOURCES)
        if rng.random() < 0.6:
            props["hs_manual_forecast_category"] = rng.choice(FORECASTS)
        if rng.random() < 0.8:
            props["notes_last_updated"] = iso(modified)
        if rng.random() < 0.3 and props["hs_is_closed"] == "false":
            props["notes_next_activity_date"] = iso(modified + rng.randint(1, 400) * HOUR)
        if props["hs_is_closed_lost"] == "true":
            props["closed_lost_reason"] = rng.choice(LOST_REASONS)
        props["market_segment"] = rng.choice(("SMB", "Mid-market", "Enterprise", ""))
        props["contract_months"] = rng.choice(("12", "24", "36"))


def _walk(rng: Random, steps: Sequence[Stage], won: Stage, lost: Stage) -> list[Stage]:
    """Stages one after another: some are skipped, some entered again, some deals come back."""
    at, way = 0, [steps[0]]
    while True:
        draw = rng.random()
        if draw < 0.17:
            return way
        if draw < 0.42:
            break
        if draw < 0.5 and at > 0:
            at -= 1
        elif at + 1 < len(steps):
            at = min(at + (2 if draw > 0.9 else 1), len(steps) - 1)
        else:
            way.append(won)
            return way
        way.append(steps[at])
    way.append(lost)
    if rng.random() < 0.08:
        way += [steps[at], won] if rng.random() < 0.5 else [steps[at]]
    return way


def _times(rng: Random, n: int, created: int, modified: int) -> list[int]:
    """Moments for n events in order, the first at creation, each a different millisecond."""
    if modified - created < 4 * n:
        return [created + k for k in range(n)]
    rest = sorted(rng.randint(created + 1, modified - n) for _ in range(n - 1))
    return [created, *(t + k for k, t in enumerate(rest))]


def _spread(rng: Random, values: Sequence[str], created: int, ended: int) -> tuple[Entry, ...]:
    times = _times(rng, len(values), created, max(ended, created + 4 * len(values)))
    return tuple((t, v, UI) for t, v in zip(times, values, strict=True))
