"""Statistics of the funnel: arrays in, tables out; numpy and scipy only."""

from kpi.stats.intervals import effective_counts, jeffreys, wilson
from kpi.stats.survival import (
    aalen_johansen,
    kaplan_meier,
    log_log_limits,
    median_time,
    restricted_mean,
)

__all__ = [
    "aalen_johansen",
    "effective_counts",
    "jeffreys",
    "kaplan_meier",
    "log_log_limits",
    "median_time",
    "restricted_mean",
    "wilson",
]
