"""JSON, time and chance, as every server here has them."""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


def dumps(body: Any) -> str:  # noqa: ANN401 - any JSON
    """Write compact JSON."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def chance(*seed: int) -> Random:
    """Stream of draws that depends on the numbers given and nothing else."""
    mixed = 0x9E3779B97F4A7C15
    for part in seed:
        mixed = ((mixed ^ (part & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed ^= mixed >> 29
    return Random(mixed)  # noqa: S311 - made-up records, not a secret
