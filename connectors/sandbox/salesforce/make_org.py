"""The org itself, its people, companies, products and currencies."""

from random import Random

from connectors.sandbox.salesforce.schema import KINDS
from connectors.sandbox.salesforce.stages import LEAD, OPPORTUNITY, lead_status, opportunity_stage
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import DAY, add_days, day_text

BEGAN = 1_640_995_200  # 1 January 2022
GIVEN = ("Ada", "Bo", "Chidi", "Dana", "Emil", "Fay", "Gus", "Hana", "Ines", "Juan", "Kai", "Lea")
FAMILY = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum", "Hazel", "Ivy", "O'Hara")
ODD_NAMES = ("NA", "None", "null", "007", 'The "Best", Inc.', "Two\nLines", "Zoë & Söhne", "1,000")
INDUSTRIES = ("Banking", "Energy", "Healthcare", "Retail", "Technology", None)
COUNTRIES = ("United States", "Germany", "United Kingdom", "Canada", None)
RATES = {"EUR": 0.92, "GBP": 0.79, "JPY": 149.5}
PRODUCTS = (("Platform", "PL-01"), ("Support", "SU-02"), ("Training", "007"))


def make_org(state: State, rng: Random, opportunities: int, end: int) -> None:
    """Enter everything that opportunities and leads refer to."""
    settings(state)
    for kind in KINDS.values():
        state.custom |= {f"{kind.name}.{f.name}" for f in kind.fields if f.name.endswith("__c")}
    people(state, rng, max(6, opportunities // 300))
    companies(state, rng, opportunities // 2 + 5, end)
    for name, code in PRODUCTS:
        state.add("Product2", {"Name": name, "ProductCode": code, "CreatedDate": BEGAN})
    for row in OPPORTUNITY:
        opportunity_stage(state, *row)
    for status in LEAD:
        lead_status(state, *status)
    if state.multi_currency:
        currencies(state, rng, end)
    if state.record_types:
        for name, of in (("New Business", "Opportunity"), ("Renewal", "Opportunity")):
            state.add("RecordType", {"Name": name, "DeveloperName": name.replace(" ", "_"),
                                     "SobjectType": of, "CreatedDate": BEGAN})  # fmt: skip


def settings(state: State) -> None:
    """Enter the row that describes the org."""
    state.add(
        "Organization",
        {
            "Name": "Sandbox Company",
            "Country": "US",
            "DefaultLocaleSidKey": "en_US",
            "TimeZoneSidKey": state.time_zone,
            "LanguageLocaleKey": "en_US",
            "FiscalYearStartMonth": 1,
            "OrganizationType": "Developer Edition",
            "InstanceName": "SBX1",
            "CreatedDate": BEGAN,
        },
    )


def people(state: State, rng: Random, sellers: int) -> None:
    """Enter the integration user, roles, managers, sellers (some gone), a partner and two queues."""
    roles = [
        state.add("UserRole", {"Name": name, "SystemModstamp": BEGAN})[0]
        for name in ("Sales East", "Sales West", "Sales Management")
    ]
    user(state, "Integration User", role=None, department=None)
    bosses = [user(state, f"Manager {n}", role=roles[2], department="Sales") for n in "AB"]
    for n in range(sellers):
        name = f"{GIVEN[n % 12]} {FAMILY[n // 12 % 10]}" + (f" {n // 120}" if n >= 120 else "")
        user(
            state, name, role=roles[n % 2] if n % 7 else None,
            department="Inside sales" if n % 7 else None,
            manager=bosses[n % 2], active=n % 6 != 5, zone=rng.choice(("America/New_York", "UTC")),
        )  # fmt: skip
    user(state, "Partner Person", role=None, department=None, kind="PowerPartner")
    for name in ("Inbound queue", "Partner queue"):
        values = {"Name": name, "DeveloperName": name.replace(" ", "_"), "Type": "Queue"}
        state.add("Group", {**values, "CreatedDate": BEGAN})


def user(
    state: State, name: str, *, role: str | None, department: str | None,
    manager: str | None = None, active: bool = True, kind: str = "Standard", zone: str = "UTC",
) -> str:  # fmt: skip
    """Enter a user; return the id."""
    given, _, family = name.partition(" ")
    made = state.add(
        "User",
        {
            "Username": f"{name.replace(' ', '.')}@sandbox.example".lower(),
            "FirstName": given,
            "LastName": family or given,
            "Name": name,
            "Email": f"{given}@sandbox.example".lower(),
            "Department": department,
            "UserRoleId": role,
            "ManagerId": manager,
            "IsActive": active,
            "UserType": kind,
            "TimeZoneSidKey": zone,
            "CreatedDate": BEGAN,
        },
    )
    return str(made[0])


def companies(state: State, rng: Random, number: int, end: int) -> None:
    """Enter companies; a few have names that a careless reader takes for something else."""
    owners = sellers_of(state)
    for n in range(number):
        odd = ODD_NAMES[n] if n < len(ODD_NAMES) else None
        state.add(
            "Account",
            {
                "Name": odd or f"{rng.choice(FAMILY)} {rng.choice(('Works', 'Labs', 'Group'))} {n}",
                "Industry": rng.choice(INDUSTRIES),
                "BillingCountry": rng.choice(COUNTRIES),
                "BillingPostalCode": f"0{rng.randrange(1000, 9999)}",
                "NumberOfEmployees": rng.choice((None, 0, rng.randrange(1, 40_000))),
                "OwnerId": rng.choice(owners),
                "CurrencyIsoCode": state.corporate if state.multi_currency else None,
                "CreatedDate": rng.randrange(BEGAN, end),
            },
        )


def sellers_of(state: State) -> list[str]:
    """Ids of the users who can own records."""
    at = KINDS["User"].at
    rows = state.tables["User"].rows.values()
    return [r[0] for r in rows if r[at["UserType"]] == "Standard"][1:]


def currencies(state: State, rng: Random, end: int) -> None:
    """Enter currencies, one of them out of use, and rates that change each quarter."""
    codes = {state.corporate: 1.0, **{c: r for c, r in RATES.items() if c != state.corporate}}
    for code, rate in codes.items():
        currency(state, code, rate, active=code != "JPY")
        if not state.dated_rates:
            continue
        start, last = "2015-01-01", day_text(end)
        while start < last:
            following = add_days(start, 91 if start > "2020" else 2_000)
            open_end = following >= last
            at = 1.0 if code == state.corporate else round(rate * rng.uniform(0.9, 1.1), 6)
            dated_rate(state, code, start, None if open_end else following, at)
            start = following


def currency(state: State, code: str, rate: float, *, active: bool = True) -> None:
    """Enter a currency: so many units of it are one of the corporate currency."""
    state.add(
        "CurrencyType",
        {
            "IsoCode": code,
            "ConversionRate": rate,
            "DecimalPlaces": 0 if code == "JPY" else 2,
            "IsActive": active,
            "IsCorporate": code == state.corporate,
            "CreatedDate": BEGAN,
        },
    )


def dated_rate(state: State, code: str, start: str, following: str | None, rate: float) -> None:
    """Enter a rate that holds from a day on, up to the next; the last one has an end far away."""
    state.add(
        "DatedConversionRate",
        {
            "IsoCode": code,
            "StartDate": start,
            "NextStartDate": following or "9999-12-31",
            "ConversionRate": rate,
            "CreatedDate": BEGAN,
        },
    )


def older(moment: int, now: int, days: int) -> bool:
    """Whether a moment is more than so many days ago."""
    return moment < now - days * DAY
