"""What docs/trying-alarms.md shows comes out so, command by command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pipeline.cli.alarms import alarm
from pipeline.store.sql import SqlStore

from cli.application import Tocsin

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "trying-alarms.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_print_what_the_page_shows(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "alarms.yaml").write_text(blocks("yaml")[0])
    tocsin = Tocsin(store, alarm)
    shown = [each for block in blocks("console") for each in re.split(r"(?m)^\$ ", block)[1:]]
    assert len(shown) == 5
    for each in shown:
        command, _, printed = each.partition("\n")
        name, *arguments = shlex.split(command)
        assert name == "tocsin"
        found = tocsin(*arguments)
        assert [line.rstrip() for line in found.splitlines()] == printed.splitlines(), command
