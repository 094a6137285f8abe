"""Would the plan's forecasts have been right? Past dates rebuilt, forecast and compared with what came."""

from collections.abc import Iterable, Iterator
from datetime import date

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.deals.win_rate import of_type
from kpi.engine import collect
from kpi.periods import as_date, day_number, month_start
from kpi.planning.curve import Floats
from kpi.planning.forecasts import (
    CAME,
    MODELS,
    SIMPLE,
    Measure,
    horizon_of,
    model_draws,
    simple_draws,
    simple_means,
)
from kpi.planning.horizon import Horizon
from kpi.planning.model import FunnelModel
from kpi.planning.target import PlanError
from kpi.snapshot import Snapshot
from kpi.tables import TableError

LEVELS = (0.5, 0.8, 0.9)
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
DRAWS = 4_000
COLUMNS = (
    ["origin", "last", "method", "forecast", "actual", "leads", "closed"]
    + [f"{end}{level:.0%}".rstrip("%") for level in LEVELS for end in ("low", "high")]
    + ["pinball", "crps", "note"]
)


def backtest(
    snapshot: Snapshot,
    origins: Iterable[date | str],
    horizon: int = 6,
    *,
    of: Measure = "wins",
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Forecast from past dates with what was known then, and score it by what came.

    The model is forecast twice: with the leads that actually came (the plan's case: it takes leads
    as given), and with those it would have expected. Beside it stand three simple methods, as
    Poisson forecasts around their mean: the CRM's stage percentages of the open pipeline, the
    mean of the last six months, and leads x conversion x win rate (of the leads that came). A date
    from which no model can be fitted is listed with the reason and scored for no method, so that
    all are compared on the same dates. What history does not record cannot be rewound
    (`Snapshot.not_rewound`).

    Parameters
    ----------
    snapshot : Snapshot
        The data as it is known today.
    origins : dates or ISO texts
        Past dates to forecast from; month ends are best (else the first month is a part).
    horizon : int
        Months to forecast, 1 to 60; all must lie before the data's end.
    of : {"wins", "new_mrr"}
        What is forecast: deals won, or their new recurring revenue a month.
    draws, seed : int
        How many draws, and which.

    Returns
    -------
    DataFrame, one row per origin and method
        ``origin``, ``last`` (last day forecast), ``method``, ``forecast`` (mean), ``actual``,
        ``leads`` (that came), ``closed`` (deals closed behind the model; both missing without one),
        ``low50, high50, low80, high80, low90, high90``, ``pinball`` (mean loss at 5, 10, 25, 50, 75,
        90 and 95 %), ``crps`` (both in the unit of what is forecast, the less the better), ``note``
        (why a method has no forecast). ``attrs["summary"]``: one row per method: ``method, origins,
        covered50, covered80, covered90`` (shares, 0 to 1), ``pinball, crps`` (means), ``bias`` (mean
        of forecast - actual, relative to the mean of what came). ``attrs["sentence"]``: the result
        in words.

    Raises
    ------
    PlanError
        If there is no origin, the horizon makes no sense, or it reaches beyond the data.

    Notes
    -----
    Horizons that overlap are not independent trials: five dates are five, not sixty, months. Counts
    cannot be split: an interval of whole wins holds at least its level, usually more.

    References
    ----------
    .. [1] Gneiting T, Raftery AE (2007), J. Amer. Statist. Assoc. 102:359-378 (pinball, CRPS).
    """
    dates = sorted({as_date(origin) for origin in origins})
    _check(snapshot, dates, horizon, of)
    rows = [row for day in dates for row in _from(snapshot, day, horizon, of, draws, seed)]
    table = pd.DataFrame(rows, columns=COLUMNS).astype(
        {"origin": "datetime64[us]", "last": "datetime64[us]", "closed": "float64"}
    )
    table.attrs["summary"] = summary(table)
    table.attrs["sentence"] = _sentence(table, of, horizon)
    return table


def _check(snapshot: Snapshot, dates: list[date], horizon: int, of: str) -> None:
    if not dates:
        raise PlanError("origins is empty: give past dates to forecast from, such as month ends")
    if not 1 <= horizon <= 60:
        raise PlanError(f"horizon = {horizon}; expected 1 to 60 months")
    if of not in ("wins", "new_mrr"):
        raise PlanError(f"of={of!r}; expected 'wins' or 'new_mrr'")
    last = horizon_of(dates[-1], horizon).last
    if last > snapshot.as_of:
        raise PlanError(
            f"{horizon} months from {dates[-1]} end on {last}, but the data ends on "
            f"{snapshot.as_of}: choose earlier origins or a shorter horizon"
        )


def _from(
    snapshot: Snapshot, day: date, horizon: int, of: Measure, draws: int, seed: int
) -> Iterator[dict[str, object]]:
    """Rows of one origin."""
    ahead = horizon_of(day, horizon)
    row = {"origin": day, "last": ahead.last, "actual": _came(snapshot, ahead, of)}
    try:
        then = snapshot.at(day)
        model = FunnelModel.fit(then)
    except TableError as error:
        for method in (*MODELS, *SIMPLE):
            yield {**row, "method": method, "note": f"no model can be fitted: {error}"}
        return
    leads = _created(snapshot, ahead, has_leads=model.has_leads)
    row |= {"leads": leads.sum(), "closed": model.closed}
    found = model_draws(model, ahead, leads, of, draws=draws, seed=seed)
    means = simple_means(then, model, ahead, float(leads.sum()))
    for method, mean in zip(SIMPLE, means, strict=True):
        found[method] = simple_draws(float(mean), model, of, draws=draws, seed=seed)
    for method, drawn in found.items():
        yield {**row, "method": method, **scores(drawn, float(row["actual"]))}  # type: ignore[arg-type]


def scores(drawn: Floats, actual: float) -> dict[str, object]:
    """Forecast, intervals and losses of draws against what came.

    Examples
    --------
    >>> found = scores(np.array([1.0, 2.0, 3.0]), 2.0)
    >>> found["forecast"], found["low50"], found["high50"], round(found["crps"], 4)
    (2.0, 1.0, 3.0, 0.2222)
    """
    if np.isnan(drawn).any():
        return {"note": "the data of that date does not have what this method needs"}
    rising = np.sort(drawn)
    n = len(rising)

    def place(share: float) -> float:
        return float(rising[min(int(np.ceil(share * n)) - 1, n - 1) if share > 0 else 0])

    found: dict[str, object] = {"forecast": float(rising.mean()), "note": ""}
    for level in LEVELS:
        low, high = place((1 - level) / 2), place((1 + level) / 2)
        found |= {f"low{level * 100:.0f}": low, f"high{level * 100:.0f}": high}
    losses = [max(q * (actual - place(q)), (q - 1) * (actual - place(q))) for q in QUANTILES]
    apart = float(((2 * np.arange(1, n + 1) - n - 1) @ rising) / n**2)
    crps = float(np.abs(rising - actual).mean()) - apart
    return found | {"pinball": float(np.mean(losses)), "crps": crps}


def _came(snapshot: Snapshot, ahead: Horizon, of: Measure) -> float:
    """What was won over the horizon, as the data of today has it."""
    first, last = day_number(ahead.first), day_number(ahead.last)
    won = of_type(snapshot, "new").filter(
        nw.col("outcome") == "won", nw.col("closed_day") >= first, nw.col("closed_day") <= last
    )
    values = collect(won.select("mrr"))["mrr"].astype("float64")
    return float(len(values) if of == "wins" else values.sum())


def _created(snapshot: Snapshot, ahead: Horizon, *, has_leads: bool) -> Floats:
    """Leads that came in each month (deals, where the funnel begins with these)."""
    frame = snapshot.leads.lazy() if has_leads else of_type(snapshot, "new")
    first, last = day_number(ahead.first), day_number(ahead.last)
    inside = frame.filter(nw.col("created_day") >= first, nw.col("created_day") <= last)
    days = collect(inside.select("created_day"))["created_day"].to_numpy("int64")
    edges = [day_number(max(month, ahead.first)) for month in ahead.months]
    found, _ = np.histogram(days, [*edges, day_number(month_start(ahead.last, 1))])
    return found.astype("float64")


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Score each method over the origins that could be forecast; see `backtest`."""
    scored = table[table["forecast"].notna()]
    rows = []
    for method in (*MODELS, *SIMPLE):
        part = scored[scored["method"] == method]
        row: dict[str, object] = {"method": method, "origins": len(part)}
        for level in (50, 80, 90):
            inside = part["actual"].between(part[f"low{level}"], part[f"high{level}"])
            row[f"covered{level}"] = inside.mean() if len(part) else np.nan
        off = (part["forecast"] - part["actual"]).mean()
        mean = part["actual"].mean()
        bias = off / mean if len(part) and mean > 0 else np.nan
        rows.append(
            row | {"pinball": part["pinball"].mean(), "crps": part["crps"].mean(), "bias": bias}
        )
    return pd.DataFrame(rows)


def _sentence(table: pd.DataFrame, of: Measure, horizon: int) -> str:
    scored = table.attrs["summary"].set_index("method")
    left = table.loc[table["note"].str.startswith("no model"), "origin"].nunique()
    without = f"; from {left} no model could be fitted" if left else ""
    model = scored.loc[CAME]
    n = int(model["origins"])
    if n == 0:
        return f"No past date could be forecast{without}."
    what = "wins" if of == "wins" else "new recurring revenue"
    inside = round(float(model["covered80"]) * n)
    simple = scored.loc[list(SIMPLE), "pinball"].dropna()
    against = ""
    if len(simple):
        best = str(simple.idxmin())
        against = (
            f"; its loss was {model['pinball']:,.2f}, that of the best simple method "
            f"({best}) {simple[best]:,.2f}"
        )
    bias = "" if np.isnan(model["bias"]) else f"; it forecast {_off(float(model['bias']))}"
    return (
        f"From {n} past dates, given the leads that came, the 80 % interval held the {what} of the "
        f"next {horizon} months {inside} times{against}{bias}{without}."
    )


def _off(bias: float) -> str:
    if abs(bias) < 0.005:
        return "as much as came on average"
    return f"{abs(bias):.0%} too {'much' if bias > 0 else 'little'} on average"
