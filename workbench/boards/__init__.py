"""Boards: one question each, usable from any notebook in one line."""

from workbench.boards.connect import ConnectBoard
from workbench.boards.funnel import FunnelBoard
from workbench.boards.reverse_funnel import ReverseFunnelBoard
from workbench.boards.team import TeamBoard

__all__ = ["ConnectBoard", "FunnelBoard", "ReverseFunnelBoard", "TeamBoard"]
