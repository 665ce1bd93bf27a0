"""What docs/composite-alarms.md shows comes out so, command by command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from processes import tocsin

PAGE = Path(__file__).resolve().parents[2] / "docs" / "composite-alarms.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def commands(console: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with what it prints."""
    for each in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        lines = each.splitlines(keepends=True)
        at = next(n for n in range(1, len(lines) + 1) if _is_whole("".join(lines[:n])))
        yield "".join(lines[:at]), "".join(lines[at:])


def _is_whole(command: str) -> bool:
    if "<< END" in command:
        return command.endswith("\nEND\n")
    return not command.endswith("\\\n") and command.count("'") % 2 == 0


def test_the_commands_print_what_the_page_shows(tmp_path: Path) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.sqlite'}",
        "HOME": str(tmp_path),
    }
    shown = [pair for block in blocks("console") for pair in commands(block)]
    assert len(shown) == 8
    for command, wanted in shown:
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        if wanted != "…\n":
            assert done.stdout == wanted, command


def test_the_file_that_the_page_shows_applies(tmp_path: Path) -> None:
    environment = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.sqlite'}",
        "TOCSIN_SECRETS_KEY_FILE": str(tmp_path / "key"),
    }
    (text,) = blocks("yaml")
    assert yaml.safe_load(text)["alarms"][0]["name"] == "cluster is lost"
    (tmp_path / "alarms.yaml").write_text(text)
    tocsin("alarm", "create", "--name", "no way out", environment=environment)
    out = tocsin("apply", "-f", str(tmp_path / "alarms.yaml"), environment=environment)
    assert "1 created" in out
