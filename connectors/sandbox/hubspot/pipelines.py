"""Pipelines and stages: what they hold, how the API states them, and the names of stage dates."""

import re
from dataclasses import dataclass, field
from zlib import crc32

from connectors.sandbox.hubspot.wire import Json


@dataclass
class Stage:
    """One stage; `probability` and `lead_state` are texts, as on the wire."""

    id: str
    label: str
    position: int
    closed: bool = False
    probability: str | None = None
    lead_state: str | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """What the API calls metadata: every value a text."""
        found = {"isClosed": "true" if self.closed else "false"}
        if self.probability is not None:
            found["probability"] = self.probability
        if self.lead_state is not None:
            found["leadState"] = self.lead_state
        return found

    @property
    def won(self) -> bool:
        """Deals in it count as won."""
        return self.closed and self.probability is not None and float(self.probability) == 1

    @property
    def suffix(self) -> str:
        """Last part of its ``hs_v2_date_entered_`` property: not simply the id.

        >>> Stage("closedwon", "", 0).suffix, Stage("f26b-48d9", "", 0).suffix[:10]
        ('closedwon', 'f26b_48d9_')
        """
        if re.fullmatch(r"[a-z0-9]+", self.id):
            return self.id
        return f"{re.sub(r'[^a-z0-9]', '_', self.id.lower())}_{crc32(self.id.encode()) % 10**9}"

    def as_json(self) -> Json:
        """State it as the API does."""
        return {
            "label": self.label,
            "displayOrder": self.position,
            "metadata": self.metadata,
            "id": self.id,
            "createdAt": "1970-01-01T00:00:00Z"
            if self.id.isalpha()
            else "2023-05-11T08:04:41.202Z",
            "updatedAt": "2024-10-02T12:13:14.155Z",
            "archived": False,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        }


@dataclass
class Pipeline:
    """A pipeline and its stages, in their order."""

    id: str
    label: str
    position: int
    stages: list[Stage] = field(default_factory=list)

    def stage(self, stage_id: str) -> Stage | None:
        """Stage of that id."""
        return next((s for s in self.stages if s.id == stage_id), None)

    def as_json(self) -> Json:
        """State it as the API does: the stages in no order, the default one from 1970."""
        shuffled = sorted(self.stages, key=lambda s: crc32(s.id.encode()))
        default = self.id in ("default", "lead-pipeline-id")
        return {
            "label": self.label,
            "displayOrder": self.position,
            "id": self.id,
            "stages": [stage.as_json() for stage in shuffled],
            "createdAt": "1970-01-01T00:00:00Z" if default else "2023-05-11T08:04:41.202Z",
            "updatedAt": "1970-01-01T00:00:00Z" if default else "2024-10-02T12:13:14.155Z",
            "archived": False,
        }


def _stages(*rows: tuple[str, str, str]) -> list[Stage]:
    return [
        Stage(i, label, n, closed=p in ("0.0", "1.0"), probability=p)
        for n, (i, label, p) in enumerate(rows)
    ]


def deal_pipelines() -> list[Pipeline]:
    """The pipelines of a generated account: named, numbered and UUID stage ids."""
    return [
        Pipeline(
            "default",
            "Sales Pipeline",
            0,
            _stages(
                ("appointmentscheduled", "Appointment Scheduled", "0.2"),
                ("qualifiedtobuy", "Qualified To Buy", "0.4"),
                ("presentationscheduled", "Presentation Scheduled", "0.6"),
                ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
                ("contractsent", "Contract Sent", "0.9"),
                ("closedwon", "Closed Won", "1.0"),
                ("closedlost", "Closed Lost", "0.0"),
            ),
        ),
        Pipeline(
            "75843211",
            "Existing customers",
            1,
            _stages(
                ("148120391", "Need found", "0.3"),
                ("148120392", "Offer", "0.6"),
                ("148120393", "Legal review", "0.7"),
                ("148120394", "Closed Won", "1.0"),
                ("148120395", "Closed Lost", "0.0"),
            ),
        ),
        Pipeline(
            "1c27a1d6-94f7-4a53-92cd-3f5b6f3ad8b0",
            "Partners",
            2,
            _stages(
                ("f26b487d-e715-49c8-add3-9fa86aef79da", "Registered", "0.1"),
                ("0a9be1f2-6c0f-4d2e-8f3b-41f5c0d9e6a7", "Joint plan", "0.5"),
                ("7d54c1aa-2be0-4f0f-a0d4-52b9a1b0c3d4", "Closed Won", "1.0"),
                ("c9e8a7b6-1f2e-4d3c-8b4a-5e6f7a8b9c0d", "Closed Lost", "0.0"),
            ),
        ),
    ]


def lead_pipelines() -> list[Pipeline]:
    """The lead pipeline that HubSpot sets up."""
    rows = (
        ("new-stage-id", "New", "NEW"),
        ("attempting-stage-id", "Attempting", "IN_PROGRESS"),
        ("connected-stage-id", "Connected", "IN_PROGRESS"),
        ("qualified-stage-id", "Qualified", "QUALIFIED"),
        ("unqualified-stage-id", "Unqualified", "UNQUALIFIED"),
    )
    stages = [
        Stage(i, label, n, closed=n > 2, lead_state=state)
        for n, (i, label, state) in enumerate(rows)
    ]
    return [Pipeline("lead-pipeline-id", "Lead pipeline", 0, stages)]
