"""The difference of two products, split between their factors without a rest."""

from collections.abc import Mapping
from itertools import combinations
from math import exp, factorial, fsum, isfinite, log, prod


def decompose(plan: Mapping[str, float], actual: Mapping[str, float]) -> dict[str, float]:
    """Split ``prod(actual) - prod(plan)`` between the factors.

    Parameters
    ----------
    plan, actual : mapping of name to number
        The same factors.

    Returns
    -------
    dict of name to effect
        They add up to the difference, but for float noise.

    Raises
    ------
    ValueError
        If the factors differ, or one is missing.

    Notes
    -----
    Logarithmic mean Divisia index: ``L(R1, R0) ln(k1 / k0)`` with ``L(a, b) = (a - b) / ln(a / b)``.
    It treats the order of the factors alike and leaves no rest. Where a factor is zero or negative it has
    no logarithm: then the Shapley value, the mean effect over all orders.

    References
    ----------
    .. [1] Ang BW (2005), "The LMDI approach to decomposition analysis", Energy Policy 33:867-871.

    Examples
    --------
    >>> plan = {"leads": 100, "conversion": 0.15, "win rate": 0.33, "value": 2_000}
    >>> actual = {"leads": 120, "conversion": 0.12, "win rate": 0.30, "value": 2_200}
    >>> {name: round(effect, 1) for name, effect in decompose(plan, actual).items()}
    {'leads': 1768.6, 'conversion': -2164.6, 'win rate': -924.6, 'value': 924.6}
    >>> decompose({"leads": 10, "rate": 0.5}, {"leads": 10, "rate": 0.0})
    {'leads': 0.0, 'rate': -5.0}
    """
    if list(plan) != list(actual):
        raise ValueError(f"factors differ: {list(plan)} and {list(actual)}")
    for name in plan:
        if not (isfinite(plan[name]) and isfinite(actual[name])):
            raise ValueError(f"{name}: {plan[name]} and {actual[name]}; expected numbers")
    if min(*plan.values(), *actual.values(), 1.0) > 0:
        before, after = prod(plan.values()), prod(actual.values())
        mean = _log_mean(after, before)
        return {name: mean * log(actual[name] / plan[name]) for name in plan}
    return {name: _shapley(name, plan, actual) for name in plan}


def _log_mean(a: float, b: float) -> float:
    change = log(a / b)
    if abs(change) < 1e-6:  # the quotient loses its digits: the series instead
        return b * (1 + change / 2 + change**2 / 6)
    return b * (exp(change) - 1) / change


def _shapley(name: str, plan: Mapping[str, float], actual: Mapping[str, float]) -> float:
    others = [other for other in plan if other != name]
    count = len(plan)
    effects = []
    for size in range(count):
        weight = factorial(size) * factorial(count - size - 1) / factorial(count)
        for moved in combinations(others, size):
            rest = prod(actual[o] if o in moved else plan[o] for o in others)
            effects.append(weight * rest * (actual[name] - plan[name]))
    return fsum(effects)
