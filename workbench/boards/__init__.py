"""Boards: one question each, usable from any notebook in one line."""

from workbench.boards.acquisition import AcquisitionBoard
from workbench.boards.bottoms_up import BottomsUpBoard
from workbench.boards.connect import ConnectBoard
from workbench.boards.funnel import FunnelBoard
from workbench.boards.recurring import RecurringBoard
from workbench.boards.reverse_funnel import ReverseFunnelBoard
from workbench.boards.team import TeamBoard
from workbench.boards.tracking import TrackingBoard

__all__ = [
    "AcquisitionBoard",
    "BottomsUpBoard",
    "ConnectBoard",
    "FunnelBoard",
    "RecurringBoard",
    "ReverseFunnelBoard",
    "TeamBoard",
    "TrackingBoard",
]
