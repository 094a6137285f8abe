"""Statistics of the funnel: arrays in, tables out; numpy and scipy only."""

from kpi.stats.discovery import lower_share, q_values
from kpi.stats.intervals import effective_counts, jeffreys, wilson
from kpi.stats.lifetime import fit_sbg
from kpi.stats.markov import absorption
from kpi.stats.shrinkage import beta_binomial_shrinkage, beta_posterior
from kpi.stats.survival import (
    aalen_johansen,
    kaplan_meier,
    log_log_limits,
    median_time,
    restricted_mean,
)

__all__ = [
    "aalen_johansen",
    "absorption",
    "beta_binomial_shrinkage",
    "beta_posterior",
    "effective_counts",
    "fit_sbg",
    "jeffreys",
    "kaplan_meier",
    "log_log_limits",
    "lower_share",
    "median_time",
    "q_values",
    "restricted_mean",
    "wilson",
]
