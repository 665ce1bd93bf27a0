"""docs/targets.md names every type of target, and the pages each of its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import registry, targets
from pipeline.targets.options import HttpSchema, TargetSchema

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("type", targets.types())
def test_every_type_is_in_the_list_of_types(type: str) -> None:
    listed = (DOCS / "targets.md").read_text(encoding="utf-8")

    assert f"`{type}`" in listed


@pytest.mark.parametrize("scheme", registry.names(targets.ACTIONS))
def test_every_scheme_of_an_action_is_in_the_list_of_types(scheme: str) -> None:
    listed = (DOCS / "targets.md").read_text(encoding="utf-8")

    assert f"`{scheme}:" in listed


@pytest.mark.parametrize("type", targets.types())
def test_every_option_of_a_type_is_in_the_reference(type: str) -> None:
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    fields = targets.of_type(type).schema().fields

    assert [n for n, f in fields.items() if f"`{f.data_key or n}`" not in page] == []


def _written(schema: type[TargetSchema]) -> set[str]:
    """The options of a schema, by the names that people write."""
    return {field.data_key or name for name, field in schema().fields.items()}


@pytest.mark.parametrize("type", ["jenkins", "slack", "webhook"])
def test_every_option_is_on_the_page_of_its_type(type: str) -> None:
    page = (DOCS / f"{type}.md").read_text(encoding="utf-8")
    own = _written(targets.of_type(type).schema) - _written(HttpSchema)  # type: ignore[arg-type]

    assert [name for name in sorted(own) if f"`{name}`" not in page] == []


def test_every_common_option_is_on_the_page_of_calls() -> None:
    page = (DOCS / "outbound.md").read_text(encoding="utf-8")
    common = _written(HttpSchema) - _written(TargetSchema)

    assert [name for name in sorted(common) if f"`{name}`" not in page] == []
