"""docs/architecture.md tells the layers and the pure core as import-linter holds them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LAYERS, PURE, _ = PYPROJECT["tool"]["importlinter"]["contracts"]


def test_layers_are_told_as_they_are_held() -> None:
    (told,) = re.findall(r"```layers\n(.*?)```", TEXT, re.DOTALL)
    # A layer goes on in a line that stands further in.
    lines = re.sub(r",\n {3,}", ", ", told).split("\n")
    held = [layer.replace("pipeline.", "").split(" | ") for layer in LAYERS["layers"]]
    assert [line.strip().split(", ") for line in lines if line.strip()] == held


def test_pure_core_is_told_as_it_is_held() -> None:
    (told,) = re.findall(r"thin edges\.\*\* (.*?)take values", TEXT, re.DOTALL)
    held = {module.removeprefix("pipeline.") for module in PURE["source_modules"]}
    assert set(re.findall(r"`(\w+)`", told)) == held
