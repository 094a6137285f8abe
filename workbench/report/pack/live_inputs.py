"""The inputs of the live page: what can be moved, how far, and what is known about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, isnan, log10

from workbench.report.pack.contents import Contents
from workbench.report.pack.figures import Figure
from workbench.report.pack.text import clean

STEPS = 200  # of a slider, about
FLOW, LEVEL = 0.5, 0.15  # how far a target moves: most of a level runs already
MOST_CHURN = 95.0


@dataclass(frozen=True)
class Slider:
    """One input as it is shown: in per cent where it is a share.

    Attributes
    ----------
    name : str
        Its id on the page: ``target, confidence, leads, rate-0, rate-1, ..., deal_value, annual_churn``.
    label, unit : str
        Its name for people; ``%``, the symbol of the currency (shown in front), or
        nothing.
    value : float
        As planned, in the unit of `kpi.planning.what_if.Inputs`.
    scale : float
        What is shown over that.
    digits : int
        Decimals shown.
    low, high, by : float
        Ends and step of the slider, as shown; a number may be typed that lies beyond.
    note, definition, formula : str
        What is known about it, in a line; what it means; how it is reckoned.
    band : tuple of two floats, or None
        95 % interval of history, as shown.
    """

    name: str
    label: str
    unit: str
    value: float
    scale: float
    digits: int
    low: float
    high: float
    by: float
    note: str
    definition: str
    formula: str
    band: tuple[float, float] | None = None

    @property
    def shown(self) -> str:
        """The planned value as the page writes it."""
        return f"{self.value * self.scale:.{self.digits}f}"

    @property
    def planned(self) -> str:
        """The same with its unit, in words: ``plan $60,000``."""
        number = f"{self.value * self.scale:,.{self.digits}f}"
        return f"plan {number}%" if self.unit == "%" else f"plan {self.unit}{number}"


def sliders(contents: Contents) -> list[Slider]:
    """Every input that this plan knows, in the order of the page."""
    found = [_target(contents), _confidence(contents), _leads(contents)]
    return [*found, *_rates(contents), *_money(contents)]


def _target(contents: Contents) -> Slider:
    target, figure = contents.plan.target, contents.figures["target"]
    part = LEVEL if target.is_level else FLOW
    money = target.kind != "wins"
    digits = _digits(target.amount)
    by = max(_nice(target.amount / STEPS), 10.0**-digits)
    path = len(target.checkpoints) > 1
    return Slider(
        "target",
        "Target" if money else "Target, in wins",
        clean(contents.symbol, 8) if money else "",
        target.amount,
        1.0,
        digits,
        max(floor(target.amount * (1 - part) / by) * by, by),
        ceil(target.amount * (1 + part) / by) * by,
        by,
        "at the last date; the path moves with it" if path else "what is to be reached",
        figure.definition,
        figure.formula,
    )


def _confidence(contents: Contents) -> Slider:
    wanted = contents.plan.confidence
    return Slider(
        "confidence",
        "Chance wanted",
        "%",
        wanted,
        100.0,
        0 if float(round(100 * wanted, 6)).is_integer() else 1,
        5.0,
        99.0,
        1.0,
        "how sure the target should be",
        f"The chance that the {contents.plan.top} needed are reckoned for.",
        "set, not reckoned",
    )


def _leads(contents: Contents) -> Slider:
    top, figure = contents.plan.top, contents.figures["leads"]
    planned = contents.what_if.inputs.leads
    high = max(2 * planned, 50.0)
    by = max(_nice(high / STEPS), 1.0)
    return Slider(
        "leads",
        f"{top.capitalize()} to create, in all",
        "",
        planned,
        1.0,
        0,
        0.0,
        ceil(high / by) * by,
        by,
        "shared among the months as planned",
        figure.definition,
        figure.formula,
    )


def _rates(contents: Contents) -> Iterator[Slider]:
    for place, row in enumerate(contents.rates.to_dict("records")):
        planned, known = 100 * float(row["planned"]), not isnan(row["low"])
        band = (100 * float(row["low"]), 100 * float(row["high"])) if known else None
        low, high = band or (planned, planned)
        label, after = clean(row["label"], 40), clean(row["to"], 40)
        yield Slider(
            f"rate-{place}",
            f"{label} → {after}",
            "%",
            float(row["planned"]),
            100.0,
            1,
            max(floor(min(planned / 2, low)), 0.1),
            min(ceil(max(planned * 1.5, high)), 100.0),
            0.1,
            _history(row["history"], row["low"], row["high"], int(row["n"])),
            f"Share of the records at {label} that reach {after} or a later step, sooner or later. "
            "In brackets its 95% interval; the slider is shaded there.",
            "cumulative share that goes on; records still open count for as long as they were followed "
            "(Aalen and Johansen)",
            band,
        )


def _history(value: float, low: float, high: float, n: int) -> str:
    if isnan(value):
        return "history: fewer than 5 records"
    limits = "" if isnan(low) else f" ({100 * low:.1f}–{100 * high:.1f}%)"
    return f"history {100 * value:.1f}%{limits}, n = {n:,}"


def _money(contents: Contents) -> Iterator[Slider]:
    planned = contents.what_if.inputs
    if (figure := contents.figures.get("deal_value")) and not isnan(planned.deal_value):
        by = max(_nice(planned.deal_value / STEPS), 0.01)
        ends = (floor(planned.deal_value / 2 / by) * by, ceil(2 * planned.deal_value / by) * by)
        digits = 0 if by >= 1 else 2
        yield _of(figure, clean(contents.symbol, 8), planned.deal_value, 1.0, digits, (*ends, by))
    if (figure := contents.figures.get("annual_churn")) and not isnan(planned.annual_churn):
        high = min(max(30.0, ceil(300 * planned.annual_churn)), MOST_CHURN)
        yield _of(figure, "%", planned.annual_churn, 100.0, 1, (0.0, high, 0.1))


def _of(
    figure: Figure,
    unit: str,
    value: float,
    scale: float,
    digits: int,
    ends: tuple[float, float, float],
) -> Slider:
    told = (figure.n, figure.definition, figure.formula)
    return Slider(figure.name, figure.label, unit, value, scale, digits, *ends, *told)


def _digits(amount: float) -> int:
    """Decimals that an amount needs, up to two."""
    return next((n for n in (0, 1) if float(round(amount * 10**n, 6)).is_integer()), 2)


def _nice(size: float) -> float:
    """Largest of 1, 2, 5 times a power of ten that is not above.

    >>> _nice(300.0), _nice(0.6), _nice(7.0)
    (200.0, 0.5, 5.0)
    """
    unit = 10.0 ** floor(log10(size))
    return max(unit * m for m in (1, 2, 5) if unit * m <= size * (1 + 1e-9))
