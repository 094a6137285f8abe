"""Made-up companies: names built from syllables, so that they are nobody's."""

from datetime import datetime

import company
from chance import Chance
from records import Account

FIRST = ("Bren", "Cal", "Dor", "El", "Fen", "Gral", "Hol", "Jor", "Kel", "Lum", "Mar", "Nov")
MIDDLE = ("va", "di", "lo", "que", "ri", "mo", "zi", "tha")
LAST = ("lix", "ndo", "rquil", "stry", "vane", "mbra", "xen", "llow")
INDUSTRIES = {
    "Dental practice": "Dental",
    "Legal": "Legal",
    "Construction": "Builders",
    "Accounting": "Accounting",
    "Logistics": "Freight",
    "Manufacturing": "Tooling",
    "Veterinary": "Veterinary",
    "Property": "Properties",
}


class Names:
    """Makes companies up, no two of the same name."""

    def __init__(self) -> None:
        self._chance = Chance("accounts")
        self._taken: set[str] = set()

    def account(self, created: datetime) -> Account:
        """Make up a company that entered the CRM at that moment."""
        industry = self._chance.one_of(list(INDUSTRIES))
        region = self._chance.weighted(company.REGIONS)
        segment = self._chance.weighted(company.SEGMENTS)
        name = f"{self._word()} {INDUSTRIES[industry]}"
        return Account(name, industry, region, segment, created)

    def _word(self) -> str:
        word = "".join(self._chance.one_of(part) for part in (FIRST, MIDDLE, LAST))
        if word in self._taken:
            return self._word()
        self._taken.add(word)
        return word
