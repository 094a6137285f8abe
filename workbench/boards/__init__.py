"""Boards: one question each, usable from any notebook in one line."""

from workbench.boards.connect import ConnectBoard
from workbench.boards.reverse_funnel import ReverseFunnelBoard

__all__ = ["ConnectBoard", "ReverseFunnelBoard"]
