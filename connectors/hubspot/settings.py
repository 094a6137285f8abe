"""The settings of a HubSpot sync: the file `hubspot.toml` in the folder of the store.

Every line is optional; without a file the defaults hold::

    leads = "auto"                     # "leads" (the object), "contacts", or whichever the account has
    lag_seconds = 60                   # how long HubSpot's search may lag behind a change
    refresh_hours = 24                 # how often calculated properties and associations are read anew

    [fields.deals]                     # our column = property of the account, in place of ours
    segment = "industry_vertical"

    [fields.leads]
    channel = "latest_traffic_source"

    [fields.accounts]
    size = "size_class"
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from connectors import crm_settings
from connectors.errors import FileError

FILE = "hubspot.toml"
LEADS = ("auto", "leads", "contacts")
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
    "accounts": ("region", "size", "industry", "billing_account_id"),
}

Fields = crm_settings.Fields


@dataclass(frozen=True)
class Settings:
    r"""What a sync with HubSpot may be told; checked, and never changed.

    Raises
    ------
    FileError
        If a setting is unknown or cannot be meant; the message names the nearest one.

    Examples
    --------
    >>> Settings.from_text('lag_seconds = 10').lag_seconds
    10
    >>> Settings.from_text('[fields.deals]\nsegmnet = "industry_vertical"')
    Traceback (most recent call last):
    connectors.errors.FileError: hubspot.toml, [fields.deals]: unknown key 'segmnet', did you ...
    """

    leads: str = "auto"
    lag_seconds: int = 60
    refresh_hours: int = 24
    fields: Fields = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no sync could mean."""
        if self.leads not in LEADS:
            raise FileError(f"{FILE}: leads = {self.leads!r}; expected one of {list(LEADS)}")
        whole = {"lag_seconds": self.lag_seconds, "refresh_hours": self.refresh_hours}
        crm_settings.check_whole(whole, FILE)
        chosen = crm_settings.checked_fields(self.fields, CHOSEN, FILE, "property")
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
        """Read the text of a `hubspot.toml`."""
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

        >>> print(Settings(fields={"deals": {"segment": "industry_vertical"}}).to_toml())
        leads = "auto"
        lag_seconds = 60
        refresh_hours = 24
        <BLANKLINE>
        [fields.deals]
        segment = "industry_vertical"
        """
        lines = [f"leads = {crm_settings.quoted(self.leads)}"]
        lines += [f"lag_seconds = {self.lag_seconds}", f"refresh_hours = {self.refresh_hours}"]
        return "\n".join(lines + crm_settings.fields_toml(self.fields))

    def with_fields(self, chosen: Fields) -> "Settings":
        """Return settings in which these fields are chosen too, over those already chosen.

        >>> Settings().with_fields({"leads": {"channel": "utm"}}).fields
        {'leads': {'channel': 'utm'}}
        """
        return replace(self, fields=crm_settings.merged(self.fields, chosen))

    def with_lag(self, seconds: int) -> "Settings":
        """Return settings for a search that lags so many seconds behind."""
        return replace(self, lag_seconds=seconds)

    def fingerprint(self) -> str:
        """Eight letters that change with what changes the rows: then everything is read anew."""
        return crm_settings.fingerprint([self.leads, self.fields])


def check_fields(settings: Settings, properties: Mapping[str, Collection[str]]) -> None:
    """Refuse a field whose property the account does not have.

    Parameters
    ----------
    settings : Settings
        With the chosen fields.
    properties : mapping of str to names
        By table (deals, leads, accounts) the properties of the object it is read from; a table that
        is not there is not checked.

    Raises
    ------
    FileError
        Naming the property, and the nearest one that there is.

    Examples
    --------
    >>> chosen = Settings(fields={"deals": {"segment": "industry_verticle"}})
    >>> check_fields(chosen, {"deals": ["industry_vertical", "dealname"]})
    Traceback (most recent call last):
    connectors.errors.FileError: hubspot.toml, [fields.deals]: segment = 'industry_verticle', but ...
    """
    lacking = "but the account has no such property"
    hint = "Write its internal name, as HubSpot's property settings show it"
    crm_settings.check_fields(settings.fields, properties, FILE, lacking, hint)
