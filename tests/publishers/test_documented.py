"""docs/publishers.md names every publisher and every option of each."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from pipeline import registry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "publishers.md"


@pytest.mark.parametrize("scheme", registry.names("tocsin.publishers"))
def test_every_publisher_and_each_of_its_options_is_documented(scheme: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    module = import_module(registry.find("tocsin.publishers", scheme).__module__)
    options = getattr(module, "_Options", None)

    assert f"`{scheme}://" in page
    assert [
        name for name in (options._declared_fields if options else ()) if f"`{name}`" not in page
    ] == []
