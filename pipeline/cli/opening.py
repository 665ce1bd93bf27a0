"""Opening: the application that the root's options ask for.

Called by the root of the commands, and while a shell completes, when click does not invoke it.
"""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.app import Application


def application(
    config_path: str | None = None, server: str | None = None, token: str | None = None
) -> Application:
    """The application; options that are not given are left to file and environment."""
    client = {"server": server, "token": _read(token)}
    return Application(
        config_path, client={name: value for name, value in client.items() if value}
    )


def _read(token: str | None) -> str | None:
    """The token; of a file where it is @FILE, so that no list of processes shows it."""
    if not (token and token.startswith("@")):
        return token
    try:
        return Path(token[1:]).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise click.BadParameter(
            f"{token[1:]} cannot be read: {error}", param_hint="--token"
        ) from error
