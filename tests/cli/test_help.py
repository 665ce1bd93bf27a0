"""What `--help` shows: on a terminal of 80 columns, every command with what it does, in full."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from pipeline.cli.main import root

GROUPS = [
    [],
    *(
        [name]
        for name, command in sorted(root.commands.items())
        if isinstance(command, click.Group)
    ),
]


@pytest.mark.parametrize("group", GROUPS, ids=lambda path: " ".join(path) or "tocsin")
def test_what_a_command_does_is_not_cut_off(group: list[str]) -> None:
    shown = CliRunner().invoke(root, [*group, "--help"], terminal_width=78)  # as click takes of 80
    assert shown.exit_code == 0
    _, found, commands = shown.stdout.partition("Commands:")
    assert found
    assert [line for line in commands.splitlines() if line.endswith("...")] == []
