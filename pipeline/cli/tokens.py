"""`tocsin token`: API tokens, made, listed and revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from pipeline.access import Role
from pipeline.cli import completion, times
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document

_COLUMNS = ("name", "token_id", "role", "state", "expires_at", "last_used_at")
_REVOKED_COLUMNS = ("name", "token_id", "made_by")


@click.group("token")
def token_() -> None:
    """Make, list and revoke the tokens that open the API.

    A token has a role: audit looks at everything, manage changes states besides (acknowledges,
    tests, replays), admin changes what is set up. It can be held to projects, and to the names of
    targets, groups and filters.
    """


@token_.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What it may do.",
)
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="ID",
    help="Only what belongs to this project. May be given several times.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only the target, group or filter of this name. May be given several times.",
)
@click.option(
    "--expires",
    type=times.AHEAD,
    metavar="TIME",
    help="When it ends: 90d from now, or 2026-12-31. Otherwise it does not.",
)
@output_options
@pass_desk
def create(
    desk: Desk,
    output: Output,
    name: str,
    role: str,
    projects: tuple[str, ...],
    names: tuple[str, ...],
    expires: datetime | None,
) -> None:
    """Make a token, and show it this once.

    It never gets more than its maker has. One that is held to projects reaches no targets but
    those that --name lists.

    \b
    Examples:
      tocsin token create ops --role admin
      tocsin token create grafana --role audit --expires 90d -f value -c token
      tocsin token create shop --role admin --project 7d1e --name shop-mail
    """
    wanted: dict[str, Any] = {"name": name, "role": role}
    if projects:
        wanted["projects"] = list(projects)
    if names:
        wanted["names"] = list(names)
    if expires is not None:
        wanted["expires_at"] = expires.isoformat()
    made = desk.tokens.create(wanted)
    output.one({"token": made["token"], **_details(made)})


@token_.command("list")
@output_options
@pass_desk
def list_(desk: Desk, output: Output) -> None:
    """List all tokens, by name; those that have ended too, for a while.

    \b
    Examples:
      tocsin token list
      tocsin token list -f value -c name -c last_used_at
    """
    output.rows(_COLUMNS, [_row(each) for each in desk.tokens.listed()])


@token_.command()
@click.argument("token", shell_complete=completion.tokens)
@output_options
@pass_desk
def show(desk: Desk, output: Output, token: str) -> None:
    """Show a token, by its name or id: whose it is, never what it is.

    \b
    Example:
      tocsin token show grafana
    """
    output.one(_details(desk.tokens.found(token)))


@token_.command()
@click.argument("token", shell_complete=completion.tokens)
@output_options
@pass_desk
def revoke(desk: Desk, output: Output, token: str) -> None:
    """End a token at once, and all that were made with it; shows which.

    \b
    Example:
      tocsin token revoke grafana
    """
    ended = desk.tokens.revoke(token)
    output.rows(_REVOKED_COLUMNS, [[each[name] for name in _REVOKED_COLUMNS] for each in ended])


def _row(token: Document) -> list[Any]:
    return [_plain(token[name]) for name in _COLUMNS]


def _details(token: Document) -> dict[str, Any]:
    shown = {name: _plain(value) for name, value in token.items() if name != "token"}
    for name in ("projects", "names"):
        value = token[name]
        text = "all" if value is None else "\n".join(value) or "none"
        shown[name] = Shown(value, text)
    return shown


def _plain(value: Any) -> Any:
    return "" if value is None else value
