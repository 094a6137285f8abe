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

import hashlib
import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from connectors.errors import FileError
from connectors.exports.read_options import check_keys, meant

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

Fields = Mapping[str, Mapping[str, str]]


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
        for name in ("lag_seconds", "refresh_hours"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise FileError(f"{FILE}: {name} = {value!r}; expected a whole number, 0 or more")
        object.__setattr__(self, "fields", _checked(self.fields))

    @classmethod
    def read(cls, folder: str | Path) -> "Settings":
        """Read the settings in a store's folder; the defaults where it has none.

        Raises
        ------
        FileError
            If the file cannot be read or says what cannot be meant.
        """
        path = Path(folder) / FILE
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise FileError(f"{path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise FileError(f"{path}: not UTF-8 text; save it as UTF-8") from error
        return cls.from_text(text)

    @classmethod
    def from_text(cls, text: str) -> "Settings":
        """Read the text of a `hubspot.toml`."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise FileError(f"{FILE}: not valid TOML: {error}") from error
        return cls(**check_keys(raw, [one.name for one in fields(cls)], FILE))

    def write(self, folder: str | Path) -> None:
        """Write the settings into a store's folder.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        path = Path(folder) / FILE
        try:
            path.write_text(self.to_toml() + "\n", encoding="utf-8")
        except OSError as error:
            raise FileError(f"{path}: cannot be written ({error.strerror})") from error

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
        lines = [f"leads = {_quote(self.leads)}"]
        lines += [f"lag_seconds = {self.lag_seconds}", f"refresh_hours = {self.refresh_hours}"]
        for table, chosen in self.fields.items():
            lines += ["", f"[fields.{table}]"]
            lines += [f"{column} = {_quote(name)}" for column, name in chosen.items()]
        return "\n".join(lines)

    def with_fields(self, chosen: Fields) -> "Settings":
        """Return settings in which these fields are chosen too, over those already chosen.

        >>> Settings().with_fields({"leads": {"channel": "utm"}}).fields
        {'leads': {'channel': 'utm'}}
        """
        tables = {*self.fields, *chosen}
        merged = {t: {**self.fields.get(t, {}), **chosen.get(t, {})} for t in tables}
        return replace(self, fields=merged)

    def fingerprint(self) -> str:
        """Eight letters that change with what changes the rows: then everything is read anew."""
        meant_rows = json.dumps([self.leads, self.fields], sort_keys=True)
        return hashlib.sha256(meant_rows.encode()).hexdigest()[:8]


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
    for table, chosen in settings.fields.items():
        names = properties.get(table, chosen.values())
        for column, name in chosen.items():
            if name not in names:
                raise FileError(
                    f"{FILE}, [fields.{table}]: {column} = {name!r}, but the account has no such "
                    f"property{meant(name, names)} Write its internal name, as HubSpot's property "
                    "settings show it"
                )


def _checked(chosen: object) -> dict[str, dict[str, str]]:
    """Return the fields in a fixed order, if they can be meant."""
    tables = check_keys(chosen, CHOSEN, f"{FILE}, [fields]")
    found: dict[str, dict[str, str]] = {}
    for table in [name for name in CHOSEN if name in tables]:
        where = f"{FILE}, [fields.{table}]"
        columns = check_keys(tables[table], CHOSEN[table], where)
        for column, name in columns.items():
            if not isinstance(name, str) or not name.strip() or not name.isprintable():
                raise FileError(f"{where}: {column} = {name!r}; expected the name of a property")
        if columns:
            found[table] = {column: columns[column] for column in sorted(columns)}
    return found


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
