"""Harborlight IT, the made-up managed service provider: its sellers, its stages, its true rates.

Every number below is a parameter that the sample is drawn from; the README repeats them.
"""

from datetime import date

# --- sellers: id, name, team, manager, first day (None: before the data begins), on-target earnings
OWNERS = (
    ("O-1", "Tessa Quillan", "Harbor", "Marlo Venn", None, 132000),
    ("O-2", "Idris Fallowby", "Harbor", "Marlo Venn", date(2022, 5, 2), 126000),
    ("O-3", "Junia Karrow", "Harbor", "Marlo Venn", date(2023, 9, 4), 120000),
    ("O-4", "Piet Oswynn", "Summit", "Sanna Torvell", date(2023, 1, 9), 120000),
    ("O-5", "Rhea Dunmarsh", "Summit", "Sanna Torvell", date(2024, 3, 4), 120000),
    ("O-6", "Callum Vexley", "Summit", "Sanna Torvell", date(2026, 3, 2), 114000),
)
LEAVER, LEFT_ON = "O-4", date(2026, 5, 29)
NEWCOMER, JOINED_ON, RAMP_MONTHS = "O-6", date(2026, 3, 2), 4

# --- stages: object, pipeline, stage, label, position, outcome, probability the CRM states
STAGES = (
    ("lead", "intake", "new", "New", 0, "open", None),
    ("lead", "intake", "contacted", "Contacted", 1, "open", None),
    ("lead", "intake", "mql", "Marketing qualified (MQL)", 2, "open", None),
    ("lead", "intake", "sql", "Sales qualified (SQL)", 3, "open", None),
    ("lead", "intake", "disq", "Disqualified", 4, "lost", None),
    ("deal", "new-business", "disc", "Discovery", 0, "open", 0.15),
    ("deal", "new-business", "assess", "Assessment", 1, "open", 0.30),
    ("deal", "new-business", "prop", "Proposal", 2, "open", 0.50),
    ("deal", "new-business", "nego", "Negotiation", 3, "open", 0.75),
    ("deal", "new-business", "won", "Won", 4, "won", 1.0),
    ("deal", "new-business", "lost", "Lost", 5, "lost", 0.0),
    ("deal", "existing-customers", "x-need", "Need found", 0, "open", 0.30),
    ("deal", "existing-customers", "x-offer", "Offer", 1, "open", 0.60),
    ("deal", "existing-customers", "x-agree", "Agreement", 2, "open", 0.85),
    ("deal", "existing-customers", "x-won", "Won", 3, "won", 1.0),
    ("deal", "existing-customers", "x-lost", "Lost", 4, "lost", 0.0),
)
STATED = {stage: probability for _, _, stage, _, _, _, probability in STAGES}

# --- leads
SOURCES = {
    "referral": 0.13,
    "website": 0.21,
    "paid search": 0.38,
    "event": 0.08,
    "outbound": 0.12,
    "partner": 0.08,
}
CHANNELS = {
    "referral": "Word of mouth",
    "website": "Organic",
    "paid search": "Paid search",
    "event": "Events",
    "outbound": "Outbound",
    "partner": "Partners",
}
LEADS_FIRST_MONTH, LEADS_MORE_EACH_MONTH = 75, 0.7
SEASON = (1.02, 1.00, 1.06, 1.00, 1.02, 0.98, 0.88, 0.90, 1.10, 1.12, 1.03, 0.85)  # January first
CONVERSION = {
    "referral": 0.25,
    "website": 0.14,
    "paid search": 0.17,
    "event": 0.12,
    "outbound": 0.09,
    "partner": 0.18,
}
CONVERSION_DELAY_DAYS, CONVERSION_SHAPE = 25, 2  # gamma: mean 25 days, shape 2
DISQUALIFIED = 0.60  # of those that do not convert at once; the rest stay open for ever
DISQUALIFIED_DELAY_DAYS = 30  # exponential
FURTHEST_DISQUALIFIED = {0: 0.15, 1: 0.50, 2: 0.27, 3: 0.08}
FURTHEST_STAYING = {0: 0.25, 1: 0.45, 2: 0.22, 3: 0.08}
IN_PROFILE = 0.7

# --- new business: chance to go on from Discovery, Assessment, Proposal and Negotiation
FORWARD = {
    "referral": (0.84, 0.86, 0.78, 0.80),
    "website": (0.77, 0.79, 0.68, 0.75),
    "paid search": (0.78, 0.80, 0.66, 0.74),
    "event": (0.75, 0.77, 0.65, 0.73),
    "outbound": (0.72, 0.75, 0.62, 0.72),
    "partner": (0.80, 0.82, 0.72, 0.78),
}
LEAK_SOURCE, LEAK_STAGE, LEAK_FROM, LEAK_FORWARD = "paid search", "prop", date(2026, 3, 1), 0.22
STAY_DAYS, STAY_SIGMA = (9, 13, 17, 12), 0.8  # lognormal medians of those that go on
LOST_SLOWER = 1.9  # a deal that dies stays this much longer in its last stage
SKIP, BACK, REOPEN, REOPEN_WON = 0.20, 0.055, 0.08, 0.5
REOPEN_AFTER_DAYS = 35
DIRECT_DEALS, SAME_DAY_WINS = 50, (6, 19, 31, 44)
DIRECT_SOURCES = {"referral": 0.5, "outbound": 0.25, "partner": 0.25}

# --- what is sold
SEGMENTS = {"SMB": 0.7, "Mid": 0.3}
MRR_MEDIAN = {"SMB": 1300, "Mid": 2500}  # in the customer's currency
MRR_SIGMA = 0.6
REGIONS = {"East": 0.42, "West": 0.33, "Canada": 0.25}
PRODUCTS = {"Managed services": 0.60, "Security": 0.22, "Cloud backup": 0.18}
TERMS = {12: 0.45, 24: 0.20, 36: 0.35}
LOST_REASONS = {
    "Price": 0.28,
    "Competitor": 0.24,
    "No decision": 0.24,
    "Timing": 0.14,
    "No budget": 0.10,
}
LEAK_REASONS = {"Price": 0.75, "No decision": 0.25}

# --- customers
EARLIER_CUSTOMERS = 23
CHURN_EVERY_DAYS = 3470  # exponential, mean: about 10 % of customers a year
EXPANSION_DEALS, RENEWAL_DEALS = 28, 22
EXISTING_FORWARD, EXISTING_STAY_DAYS = (0.85, 0.85, 0.88), (8, 12, 9)
CONTRACTIONS, REACTIVATIONS = 9, 2

# --- Canadian dollars in US dollars: one opening rate, then a made-up one a month
EARLIER_RATE = (date(2021, 1, 1), 0.7600)
MONTHLY_RATES = (
    *(0.7170, 0.7015, 0.6940, 0.6985, 0.6960, 0.7140, 0.7220, 0.7310),
    *(0.7290, 0.7255, 0.7225, 0.7150, 0.7130, 0.7245, 0.7260, 0.7310),
    *(0.7285, 0.7240, 0.7265, 0.7330, 0.7355, 0.7310, 0.7275, 0.7295),
)

# --- money spent on winning customers, US dollars a month
LABOUR, TOOLS = 9800, 1500
ADVERTISING = {
    "Paid search": 5200,
    "Events": 1300,
    "Organic": 1000,
    "Partners": 500,
    "Outbound": 400,
}
COMMISSION_SHARE_OF_MRR = 0.35
MONTHLY_QUOTA = 20000  # annual contract value of new deals, per seller
SUSPECTS_A_WEEK = 10  # a seller; a real one would have some 70
