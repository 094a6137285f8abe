"""The settings of a Salesforce sync: the file `salesforce.toml` in the folder of the store.

Every line is optional; without a file the defaults hold::

    overlap_minutes = 10               # how much of the last window is read again
    lag_seconds = 300                  # how long a change may take to show in queries
    refresh_hours = 24                 # how often formula fields are read anew

    [fields.deals]                     # our column = field of the org, in place of ours
    segment = "Market_Segment__c"

    [fields.leads]
    channel = "Channel__c"

    [fields.subscriptions]             # without mrr there are no subscriptions
    mrr = "MRR__c"
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from connectors import crm_settings
from connectors.crm_settings import Fields
from connectors.errors import FileError

FILE = "salesforce.toml"
CHOSEN: dict[str, tuple[str, ...]] = {
    "deals": (
        "source",
        "segment",
        "region",
        "product",
        "margin",
        "term_months",
        "mrr",
        "forecast_category",
        "deal_type",
        "next_step_on",
        "last_activity_at",
        "lost_reason",
    ),
    "leads": ("source", "channel", "status", "in_profile"),
    "meetings": ("outcome",),
    "subscriptions": ("mrr", "starts_on", "ends_on"),
    "accounts": ("region", "size", "industry", "billing_account_id"),
}
WHOLE = ("overlap_minutes", "lag_seconds", "refresh_hours")


@dataclass(frozen=True)
class Settings:
    r"""What a sync with Salesforce may be told; checked, and never changed.

    Raises
    ------
    FileError
        If a setting is unknown or cannot be meant; the message names the nearest one.

    Examples
    --------
    >>> Settings.from_text('lag_seconds = 20').lag_seconds
    20
    >>> Settings.from_text('[fields.deals]\nsegmnet = "Market_Segment__c"')
    Traceback (most recent call last):
    connectors.errors.FileError: salesforce.toml, [fields.deals]: unknown key 'segmnet', did you ...
    """

    overlap_minutes: int = 10
    lag_seconds: int = 300
    refresh_hours: int = 24
    fields: Fields = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no sync could mean."""
        crm_settings.check_whole({name: getattr(self, name) for name in WHOLE}, FILE)
        chosen = crm_settings.checked_fields(self.fields, CHOSEN, FILE, "field")
        if "mrr" not in chosen.get("subscriptions", {"mrr": ""}):
            raise FileError(
                f"{FILE}, [fields.subscriptions]: mrr is missing; name the field of opportunity "
                "products that holds monthly revenue"
            )
        object.__setattr__(self, "fields", chosen)

    @classmethod
    def read(cls, folder: str | Path) -> "Settings":
        """Read the settings in a store's folder; the defaults where it has none.

        Raises
        ------
        FileError
            If the file cannot be read or says what cannot be meant.
        """
        return cls.from_text(crm_settings.read_text(folder, FILE))

    @classmethod
    def from_text(cls, text: str) -> "Settings":
        """Read the text of a `salesforce.toml`."""
        return cls(**crm_settings.parsed(text, [one.name for one in fields(cls)], FILE))

    def write(self, folder: str | Path) -> None:
        """Write the settings into a store's folder.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        crm_settings.write_text(folder, FILE, self.to_toml())

    def to_toml(self) -> str:
        """Write the settings in the grammar of the file, in a fixed order.

        >>> print(Settings(fields={"deals": {"segment": "Market_Segment__c"}}).to_toml())
        overlap_minutes = 10
        lag_seconds = 300
        refresh_hours = 24
        <BLANKLINE>
        [fields.deals]
        segment = "Market_Segment__c"
        """
        lines = [f"{name} = {getattr(self, name)}" for name in WHOLE]
        return "\n".join(lines + crm_settings.fields_toml(self.fields))

    def with_fields(self, chosen: Fields) -> "Settings":
        """Return settings in which these fields are chosen too, over those already chosen.

        >>> Settings().with_fields({"leads": {"channel": "Channel__c"}}).fields
        {'leads': {'channel': 'Channel__c'}}
        """
        return replace(self, fields=crm_settings.merged(self.fields, chosen))

    def with_lag(self, seconds: int) -> "Settings":
        """Return settings for an org in which a change takes so many seconds to show."""
        return replace(self, lag_seconds=seconds)

    def fingerprint(self) -> str:
        """Eight letters that change with what changes the rows: then everything is read anew."""
        return crm_settings.fingerprint(self.fields)


def check_fields(settings: Settings, available: Mapping[str, Collection[str]]) -> None:
    """Refuse a field that the org does not have, or that the user may not see.

    Parameters
    ----------
    settings : Settings
        With the chosen fields.
    available : mapping of table to field names
        By table (deals, leads, meetings, subscriptions, accounts) the fields of the object it is
        read from, as `connectors.salesforce.records.select.readable` lists them; a table that is
        not there is not checked.

    Raises
    ------
    FileError
        Naming the field, and the nearest one that there is.

    Examples
    --------
    >>> chosen = Settings(fields={"deals": {"segment": "Market_Segmnt__c"}})
    >>> check_fields(chosen, {"deals": ["Market_Segment__c", "Name"]})
    Traceback (most recent call last):
    connectors.errors.FileError: salesforce.toml, [fields.deals]: segment = 'Market_Segmnt__c', but ...
    """
    lacking = "but the org has no such field, or this user may not see it"
    hint = "Write its API name, as Setup > Object Manager > Fields shows it"
    crm_settings.check_fields(settings.fields, available, FILE, lacking, hint)
