"""SQL of new customers: who is won for the first time, when, and what it bought that day."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.tracing.ask import Ask
from kpi.tracing.deals import of_type
from kpi.tracing.statement import Step


def _served(ask: Ask) -> str:
    return f"""SELECT coalesce(a.billing_account_id, s.account_id) AS payer,
  min(CAST(s.starts_on AS DATE)) AS served_on
FROM subscriptions s LEFT JOIN accounts a ON a.account_id = s.account_id
WHERE coalesce(CAST(s.signed_on AS DATE), CAST(s.starts_on AS DATE)) <= {ask.today}
  AND s.mrr > 0
  AND (s.ends_on IS NULL OR CAST(s.ends_on AS DATE) > CAST(s.starts_on AS DATE))
GROUP BY 1"""


def _wins(_: Ask) -> str:
    return """SELECT *, min(closed_on) OVER (PARTITION BY customer) AS won_on
FROM (
  SELECT d.*, coalesce(a.billing_account_id, d.account_id) AS payer,
    coalesce(payer, 'deal ' || d.deal_id) AS customer
  FROM our_deals d LEFT JOIN accounts a ON a.account_id = d.account_id
  WHERE d.outcome = 'won' AND d.closed_on IS NOT NULL
)"""


def _logos(ask: Ask) -> str:
    both = "FILTER (WHERE amount IS NOT NULL AND margin IS NOT NULL)"
    return f"""SELECT customer, min(won_on) AS won_on, sum(mrr) AS mrr,
  sum(amount) {both} AS sold, sum(margin) {both} AS kept
FROM wins w
WHERE closed_on = won_on AND {of_type(ask)}
  AND NOT EXISTS (SELECT 1 FROM served s WHERE s.payer = w.payer AND s.served_on < w.won_on)
GROUP BY customer"""


LOGOS = {
    "served": Step(
        "since when each paying account has had a recurring line",
        _served,
        ("subscriptions", "accounts"),
    ),
    "wins": Step(
        "deals won, by who pays, and the day of its first win of any kind",
        _wins,
        ("our_deals", "accounts"),
    ),
    "logos": Step(
        "new customers: first won with business of this kind, and never served before", _logos
    ),
}
