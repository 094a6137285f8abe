"""Canonical tables turned into an org."""

from collections.abc import Mapping

import pandas as pd

from connectors.sandbox.salesforce.state import State


def fill_from(state: State, frames: Mapping[str, pd.DataFrame]) -> None:
    """Fill an empty org from canonical tables."""
    raise NotImplementedError
