"""What every board is made of, each written once: layout, filters, explanations, files, slow work."""

from workbench.boards.parts.explain import Explain
from workbench.boards.parts.export import Export
from workbench.boards.parts.filters import Filters
from workbench.boards.parts.frame import Frame
from workbench.boards.parts.later import OnDemand
from workbench.boards.parts.scenarios import Scenarios
from workbench.boards.parts.shown import Shown

__all__ = ["Explain", "Export", "Filters", "Frame", "OnDemand", "Scenarios", "Shown"]
