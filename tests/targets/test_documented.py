"""What a type of target has of its own is told on its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import targets
from pipeline.targets.options import HttpSchema, TargetSchema

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("type", ["jenkins", "slack"])
def test_every_option_is_on_the_page_of_its_type(type: str) -> None:
    page = (DOCS / f"{type}.md").read_text()
    common = HttpSchema().fields.keys() | TargetSchema().fields.keys()
    own = targets.of_type(type).schema().fields.keys() - common

    assert [name for name in sorted(own) if f"`{name}`" not in page] == []
