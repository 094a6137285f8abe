"""What HubSpot works out for a deal whenever its stage, amount or currency changes."""

from collections.abc import Mapping

from connectors.sandbox.hubspot.pipelines import Stage
from connectors.sandbox.hubspot.wire import exact, plain


def stage_values(stage: Stage | None, *, won: bool | None = None) -> dict[str, str]:
    """Flags and chance that follow from a stage; of an unknown one, `won` tells (None: open).

    >>> stage_values(Stage("c", "Closed Won", 5, closed=True, probability="1.0"))["hs_is_closed"]
    'true'
    """
    closed = stage.closed if stage else won is not None
    is_won = stage.won if stage else bool(won)
    probability = stage.probability if stage else None
    found = {
        "hs_is_closed": "true" if closed else "false",
        "hs_is_closed_won": "true" if is_won else "false",
        "hs_is_closed_lost": "true" if closed and not is_won else "false",
    }
    if probability is not None:
        found["hs_deal_stage_probability"] = exact(float(probability))
    return found


def home_amount(amount: str | None, currency: str, rates: Mapping[str, float]) -> str | None:
    """Amount in the home currency as HubSpot writes it: empty stays empty.

    >>> home_amount("100", "EUR", {"EUR": 1.08})
    '108'
    >>> home_amount("33.3", "EUR", {"EUR": 1.08})[:12]
    '35.963999999'
    """
    if not amount:
        return amount
    rate = rates.get(currency)
    if rate is None:
        return amount
    value = float(amount) * rate
    return plain(value) if value == int(value) else exact(value)
