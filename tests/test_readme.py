"""The README says what the program does (its `>>>` examples run as doctests)."""

import re
from pathlib import Path

import connectors
from workbench.answer import answer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_answer_shown_is_the_answer_printed():
    """The block under `make demo` is its output, line by line."""
    block = re.search(r"```\n(Reverse funnel · .*?)```", README, re.DOTALL)[1]
    printed = str(answer(connectors.open(ROOT / "data" / "samples")))
    assert block.strip().splitlines() == printed.splitlines()


def test_every_key_of_the_json_is_described():
    """A key that nobody explains is a key that somebody misreads."""
    keys = answer(connectors.open(ROOT / "data" / "samples")).json
    described = README.split("| key | meaning |")[1].split("##")[0]
    unexplained = [k for k in keys if f"`{k}`" not in described and f"`{k[8:]}`" not in described]
    assert unexplained in ([], ["as_of", "source"])


def test_every_link_leads_to_a_file():
    """Relative links are files of the checkout."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
