"""Every case of the shared golden file is tested, or told as a story.

Narrative, with nothing to compute: V12, V13, V21.
"""

import json
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1].parent / "shared" / "golden" / "golden.json"
NARRATIVE = {"V12", "V13", "V21"}


def named_in_tests():
    """Case ids that the tests of this folder name, in a test's name or a case's id."""
    text = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*_cases.py"))
    named = re.findall(r"def test_([stvp]\d\d)_", text) + re.findall(r'id="([STVP]\d\d)\b', text)
    return {name.upper() for name in named}


def test_every_case_has_its_place():
    """None is forgotten, and none that is tested is called a story."""
    if not GOLDEN.exists():
        pytest.skip("the shared golden file is not beside this checkout")
    cases = {case["id"] for case in json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]}
    here = named_in_tests()
    assert cases - here - NARRATIVE == set()
    assert here & NARRATIVE == set()
