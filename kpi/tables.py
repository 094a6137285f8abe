"""The contract: every canonical table, its columns, their types and units, and what missing means.

Whatever comes in (CSV export, HubSpot, Salesforce, a data frame) is brought to these tables by
`kpi.conform`; every KPI reads nothing else. Missing is always null, never 0 and never "".

A column has one of these kinds:

========  =======================  ==================================================================
kind      pandas type              holds
========  =======================  ==================================================================
id        str                      an identifier, kept letter by letter (``007`` stays ``007``)
text      str                      free text or a label; hostile: never put into HTML or SQL unescaped
time      datetime64[us, UTC]      a moment; one written without an offset is in the company's time zone
date      datetime64[us]           a calendar day
money     float64                  an amount, 0 or more, in the table's ``currency``
number    float64                  a number (its unit is in the meaning)
whole     Int64                    a whole number
flag      boolean                  true or false
========  =======================  ==================================================================

Examples
--------
>>> from kpi.tables import TABLES
>>> TABLES["deals"].key
('deal_id',)
>>> TABLES["deals"].column("amount").missing
'not known; the deal still counts, but not in sums of money'
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "time", "date", "money", "number", "whole", "flag"]

DTYPES: dict[Kind, str] = {
    "id": "str",
    "text": "str",
    "time": "datetime64[us, UTC]",
    "date": "datetime64[us]",
    "money": "float64",
    "number": "float64",
    "whole": "Int64",
    "flag": "boolean",
}

OUTCOMES = ("open", "won", "lost")
DEAL_TYPES = ("new", "expansion", "renewal")


class TableError(ValueError):
    """A table, column or setting that the work at hand needs is missing or unusable.

    In a notebook it is shown as its sentence, without the lines of code that led there.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class MissingTableError(TableError):
    """The data lacks a whole table that a number needs; the message names it."""


@dataclass(frozen=True)
class Column:
    """One column: its kind, its meaning, what missing means, and the values it may hold."""

    name: str
    kind: Kind
    meaning: str
    missing: str = "not known"
    required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One canonical table: what a row is, what identifies it, and its columns."""

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises
        ------
        TableError
            If the table has no such column; the message lists those it has.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise TableError(f"table {self.name} has no column {name!r}; it has {self.names}")

    @property
    def names(self) -> list[str]:
        """The column names, in their order."""
        return [column.name for column in self.columns]


def _c(
    name: str,
    kind: Kind,
    meaning: str,
    missing: str = "not known",
    *,
    required: bool = False,
    values: tuple[str, ...] = (),
) -> Column:
    return Column(name, kind, meaning, missing, required, values)


STAGES = Table(
    "stages",
    "stage of a pipeline",
    ("object", "pipeline_id", "stage_id"),
    (
        _c("object", "text", "what moves through it", required=True, values=("lead", "deal")),
        _c("pipeline_id", "id", "pipeline", "the only pipeline"),
        _c("stage_id", "id", "stage, as deals and history name it", required=True),
        _c("label", "text", "name people see", "the stage id is shown"),
        _c("position", "whole", "order in the pipeline, first is lowest", required=True),
        _c("outcome", "text", "what being there means", "open", values=OUTCOMES),
        _c("probability", "number", "chance of winning that the CRM states, 0 to 1", "none stated"),
        _c("active", "flag", "still in use", "in use"),
    ),
)

LEADS = Table(
    "leads",
    "lead",
    ("lead_id",),
    (
        _c("lead_id", "id", "lead", required=True),
        _c("created_at", "time", "when it came in", "counted, but left out of rates over time"),
        _c("source", "text", "where it came from (referral, website, ...)"),
        _c("channel", "text", "marketing channel"),
        _c("owner_id", "id", "seller who works it", "nobody"),
        _c("account_id", "id", "company it belongs to", "no company yet"),
        _c("status", "text", "status as the CRM words it"),
        _c("stage_id", "id", "stage of the lead", "no lead stages"),
        _c("in_profile", "flag", "fits the ideal customer profile"),
        _c("converted_at", "time", "when it became a deal", "it has not, or the deal's date says"),
        _c("deal_id", "id", "the deal it became", "none, or the deal names the lead"),
        _c("url", "text", "its page in the CRM"),
        _c("updated_at", "time", "last change in the CRM"),
    ),
)

DEALS = Table(
    "deals",
    "deal (Salesforce: opportunity)",
    ("deal_id",),
    (
        _c("deal_id", "id", "deal", required=True),
        _c("name", "text", "name in the CRM"),
        _c("pipeline_id", "id", "pipeline it is in", "the only pipeline"),
        _c("stage_id", "id", "stage it is in now"),
        _c("outcome", "text", "how it stands", "the stage's outcome, else open", values=OUTCOMES),
        _c("owner_id", "id", "seller who owns it", "nobody"),
        _c("account_id", "id", "company", "no company yet"),
        _c("lead_id", "id", "lead it came from", "direct (referral, outbound), or the lead says"),
        _c("source", "text", "where it came from"),
        _c("segment", "text", "market segment"),
        _c("region", "text", "sales region"),
        _c("product", "text", "what is sold"),
        _c("deal_type", "text", "kind of business", "new", values=DEAL_TYPES),
        _c(
            "amount",
            "money",
            "value in the reporting currency",
            "not known; the deal still counts, but not in sums of money",
        ),
        _c("currency", "id", "currency of amount_original", "the reporting currency"),
        _c("amount_original", "money", "value in `currency`", "amount is in `currency`"),
        _c("mrr", "money", "new monthly recurring revenue, as amount", "none agreed or not known"),
        _c("term_months", "number", "contract length, months"),
        _c("margin", "number", "gross margin, in the reporting currency"),
        _c("forecast_category", "text", "forecast category of the CRM"),
        _c("next_step_on", "date", "date of the next step", "no next step"),
        _c("last_activity_at", "time", "last activity"),
        _c("created_at", "time", "when it was opened", "counted, but left out of durations"),
        _c("close_date", "date", "day it closed, or is expected to"),
        _c("closed_at", "time", "moment it closed", "history says, else close_date; open: none"),
        _c("lost_reason", "text", "why it was lost"),
        _c("url", "text", "its page in the CRM"),
        _c("updated_at", "time", "last change in the CRM"),
    ),
)

HISTORY = Table(
    "history",
    "recorded change of a lead or deal (values after the change)",
    ("object", "record_id", "changed_at", "stage_id"),
    (
        _c("object", "text", "what changed", "deal", values=("lead", "deal")),
        _c("record_id", "id", "the lead or deal", required=True),
        _c("changed_at", "time", "when", required=True),
        _c("pipeline_id", "id", "pipeline", "not recorded in this change"),
        _c("stage_id", "id", "stage", "not recorded in this change"),
        _c("amount", "money", "value, as the deal's amount", "not recorded in this change"),
        _c("close_date", "date", "close date", "not recorded in this change"),
        _c("probability", "number", "chance stated by the CRM", "not recorded in this change"),
        _c("owner_id", "id", "owner", "not recorded in this change"),
        _c("status", "text", "status", "not recorded in this change"),
    ),
)

MEETINGS = Table(
    "meetings",
    "meeting",
    ("meeting_id",),
    (
        _c("meeting_id", "id", "meeting", required=True),
        _c("starts_at", "time", "when it takes place"),
        _c("booked_at", "time", "when it was booked"),
        _c(
            "outcome",
            "text",
            "what became of it",
            values=("held", "no_show", "cancelled", "scheduled"),
        ),
        _c("owner_id", "id", "seller"),
        _c("account_id", "id", "company"),
        _c("lead_id", "id", "lead", "not about a lead"),
        _c("deal_id", "id", "deal", "not about a deal"),
    ),
)

OWNERS = Table(
    "owners",
    "seller",
    ("owner_id",),
    (
        _c("owner_id", "id", "seller", required=True),
        _c("name", "text", "name"),
        _c("team", "text", "team"),
        _c("manager", "text", "manager"),
        _c("active", "flag", "still sells", "yes"),
        _c("starts_on", "date", "first day of selling", "before the data begins"),
        _c("annual_ote", "money", "on-target earnings a year, reporting currency"),
        _c("ramp_months", "number", "months until fully productive", "none"),
    ),
)

ACCOUNTS = Table(
    "accounts",
    "customer or prospect",
    ("account_id",),
    (
        _c("account_id", "id", "company as the CRM has it", required=True),
        _c("billing_account_id", "id", "who pays: one invoice, one customer", "pays for itself"),
        _c("name", "text", "name"),
        _c("industry", "text", "industry"),
        _c("region", "text", "region"),
        _c("size", "text", "size class"),
        _c("created_at", "time", "when it was entered"),
    ),
)

SUBSCRIPTIONS = Table(
    "subscriptions",
    "recurring line of a customer",
    ("subscription_id",),
    (
        _c("subscription_id", "id", "line", required=True),
        _c("account_id", "id", "company", required=True),
        _c("product", "text", "product"),
        _c("mrr", "money", "monthly recurring revenue, in `currency`", required=True),
        _c("currency", "id", "currency of mrr", "the reporting currency"),
        _c("signed_on", "date", "day of signature", "starts_on"),
        _c("starts_on", "date", "first day of service", required=True),
        _c("ends_on", "date", "first day without service", "runs on"),
        _c("notice_on", "date", "day notice was given", "no notice, or on the last day"),
    ),
)

SUSPECTS = Table(
    "suspects",
    "outbound contact targeted",
    ("suspect_id",),
    (
        _c("suspect_id", "id", "contact", required=True),
        _c("added_at", "time", "when it was targeted", required=True),
        _c("owner_id", "id", "seller"),
        _c("campaign", "text", "campaign"),
    ),
)

COSTS = Table(
    "costs",
    "cost item of a month",
    (),
    (
        _c("month", "date", "first day of the month", required=True),
        _c(
            "category",
            "text",
            "kind of cost",
            values=("labour", "commissions", "advertising", "tools"),
        ),
        _c("channel", "text", "marketing channel", "all channels"),
        _c("amount", "number", "cost in `currency`; a credit is negative", required=True),
        _c("currency", "id", "currency of amount", "the reporting currency"),
    ),
)

QUOTAS = Table(
    "quotas",
    "quota of a seller and period",
    ("owner_id", "period_start", "period", "deal_type", "product"),
    (
        _c("owner_id", "id", "seller", required=True),
        _c("period_start", "date", "first day of the period", required=True),
        _c("period", "text", "length", "month", values=("month", "quarter", "year")),
        _c("deal_type", "text", "kind of business it is for", "all", values=DEAL_TYPES),
        _c("product", "text", "product it is for", "all"),
        _c("amount", "money", "quota in `currency`", required=True),
        _c("currency", "id", "currency of amount", "the reporting currency"),
    ),
)

RATES = Table(
    "rates",
    "exchange rate from a day on",
    ("currency", "from_date"),
    (
        _c("currency", "id", "currency", required=True),
        _c("from_date", "date", "first day it holds", required=True),
        _c("rate", "number", "units of the reporting currency per unit", required=True),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        STAGES,
        LEADS,
        DEALS,
        HISTORY,
        MEETINGS,
        OWNERS,
        ACCOUNTS,
        SUBSCRIPTIONS,
        SUSPECTS,
        COSTS,
        QUOTAS,
        RATES,
    )
}


def seconds(name: str) -> str:
    """Name of the int64 UTC-seconds twin of a time or date column.

    >>> seconds("created_at"), seconds("close_date")
    ('created_s', 'close_date_s')
    """
    return name.removesuffix("_at") + "_s"


def day(name: str) -> str:
    """Name of the whole-day twin (days since 1970-01-01 in the company's time zone).

    >>> day("created_at"), day("close_date")
    ('created_day', 'close_date_day')
    """
    return name.removesuffix("_at") + "_day"
