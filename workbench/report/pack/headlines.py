"""What each part of a pack comes to, in a sentence: the titles of the slides and of the report."""

from workbench.report.pack.contents import Contents
from workbench.report.pack.rows import LABEL, SENTENCE, decimal, kpis, month_names
from workbench.report.pack.text import clean
from workbench.theme import percent_text, whole_text


def answer(contents: Contents) -> str:
    """Say the plan."""
    return clean(contents.answer, SENTENCE)


def months(contents: Contents) -> str:
    """Say how many records to create until when, and the wins that come of all."""
    table, top = contents.months, contents.plan.top
    last = month_names(contents)[-1]
    wins = f"{decimal(table['wins'].sum())} {_wins(contents)} are expected by the end of {last}"
    begun = table["leads"] > 0
    if not begun.any():
        return f"Without any new {top}, {wins}"
    until = month_names(contents)[int(begun[begun].index[-1])]
    return f"With {whole_text(float(table['leads'].sum()))} {top} created by the end of {until}, {wins}"


def funnel(contents: Contents) -> str:
    """Say the wins, how many of them new records bring, and where the funnel is narrowest."""
    plan, table = contents.plan, contents.funnel
    narrow = contents.rates.sort_values("planned").iloc[0]
    wins = table.iloc[-1]
    new = f"none from new {plan.top}"
    if plan.to_create:
        new = (
            f"{decimal(wins['to_create'])} of them from {whole_text(plan.to_create)} new {plan.top}"
        )
    return (
        f"{decimal(wins['total'])} {_wins(contents)} are expected, {new}; "
        f"the narrowest step is {clean(narrow['label'], LABEL)} to {clean(narrow['to'], LABEL)}: "
        f"{percent_text(narrow['planned'])} go on"
    )


def _wins(contents: Contents) -> str:
    """``wins``; ``more wins`` where some are won already and count."""
    return "more wins" if contents.plan.already else "wins"


def record(contents: Contents) -> str:
    """Say which KPIs moved more than chance would have it."""
    table = kpis(contents)
    moved = table[contents.kpis["trend"].isin(["up", "down"])]
    if moved.empty:
        return f"None of {len(table)} KPIs moved more than chance would have it"
    said = ", ".join(
        f"{name} {way.split()[1]}" for name, way in zip(moved["KPI"], moved["Trend"], strict=True)
    )
    return clean(
        f"{len(moved)} of {len(table)} KPIs moved more than chance would have it: {said}", 180
    )


def changes(contents: Contents) -> str:
    """Say what changed since the last pack; where nothing is known of it, what moved of the KPIs."""
    known = contents.changes
    return record(contents) if known is None else clean(known.sentence, SENTENCE)


def caveats(contents: Contents) -> str:
    """Say how much there is to know."""
    count = len(contents.caveats)
    if count == 0:
        return "What the figures of this plan mean"
    return f"Know {'this' if count == 1 else f'these {count} things'} before you act on the plan"
