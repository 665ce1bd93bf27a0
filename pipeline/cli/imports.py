"""`tocsin import`: what other systems have, brought over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.as_code.wanted import Making
from pipeline.cli.as_code import show
from pipeline.cli.base import Application, pass_application
from pipeline.errors import ConfigError, InvalidValue, Problem
from pipeline.switching import aodh as from_aodh
from pipeline.switching import proxmox as from_proxmox
from pipeline.targets import check_action, checked_options

_dry_run = click.option(
    "--dry-run", is_flag=True, help="Only show what would change; exits 3 if anything would."
)
_LOGIN = ("auth_url", "username", "password", "project_name")


@click.group("import")
def import_() -> None:
    """Bring over what another system has.

    What is brought over is shown as a diff, what cannot be is listed with the reason. It can be
    done again: what is there already is brought to what the other system has.
    """


@import_.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--private",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Proxmox's file of tokens, passwords and secrets: /etc/pve/priv/notifications.cfg.",
)
@_dry_run
@pass_application
def proxmox(app: Application, file: Path, private: Path | None, dry_run: bool) -> None:
    """Bring over Proxmox's notifications.cfg.

    Targets, groups, filters and matchers, with the templates of webhooks.

    \b
    Examples:
      tocsin import proxmox /etc/pve/notifications.cfg --dry-run
      tocsin import proxmox /etc/pve/notifications.cfg --private /etc/pve/priv/notifications.cfg
    """
    secret = (_text(private), str(private)) if private else None
    found = from_proxmox.imported(_text(file), str(file), secret, checked_options)
    _tell_left(found.left)
    applied = app.desk.as_code.apply((), found.items, owner="proxmox", dry_run=dry_run)
    show(applied, dry_run=dry_run)


@import_.command()
@click.option("--url", required=True, metavar="URL", help="Aodh's address: http://host:8042.")
@click.option("--os-token", envvar="OS_TOKEN", metavar="TOKEN", help="A token of an admin.")
@click.option("--os-auth-url", envvar="OS_AUTH_URL", metavar="URL", help="Keystone's address.")
@click.option("--os-username", envvar="OS_USERNAME", metavar="NAME")
@click.option("--os-password", envvar="OS_PASSWORD", metavar="PASSWORD")
@click.option("--os-project-name", envvar="OS_PROJECT_NAME", metavar="NAME")
@click.option("--os-user-domain-name", envvar="OS_USER_DOMAIN_NAME", default="Default")
@click.option("--os-project-domain-name", envvar="OS_PROJECT_DOMAIN_NAME", default="Default")
@click.option(
    "--os-cacert",
    envvar="OS_CACERT",
    type=click.Path(exists=True),
    metavar="FILE",
    help="PEM file of the authorities to trust.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="Sent with each request, for an Aodh without Keystone. May be given several times.",
)
@click.option(
    "--own-project", is_flag=True, help="Only the alarms of one's own project, without admin."
)
@_dry_run
@pass_application
def aodh(
    app: Application,
    url: str,
    os_token: str | None,
    os_cacert: str | None,
    headers: Sequence[str],
    own_project: bool,
    dry_run: bool,
    **login: Any,
) -> None:
    """Bring over the event alarms of an Aodh that runs.

    They keep their ids, projects and states. Alarms that need a metrics database are listed. The
    usual OS_… variables count.

    \b
    Examples:
      tocsin import aodh --url http://aodh.example.net:8042 --dry-run
      tocsin import aodh --url http://127.0.0.1:8042 --header 'X-Roles: admin'
    """
    verify = os_cacert or True
    sent = dict(map(_header, headers))
    if token := os_token or _token(login, verify):
        sent["X-Auth-Token"] = token
    alarms = from_aodh.alarms_of(url, sent, all_projects=not own_project, verify=verify)
    making = Making(check_action, checked_options, app.new_id, app.clock())
    found = from_aodh.imported(alarms, url, making)
    _tell_left(found.left)
    show(app.desk.as_code.apply((), found.items, owner="aodh", dry_run=dry_run), dry_run=dry_run)


def _token(login: dict[str, Any], verify: bool | str) -> str | None:
    """A token for what was given of a login; None where no Keystone was."""
    given = {name.removeprefix("os_"): value for name, value in login.items() if value}
    if "auth_url" not in given:
        return None
    if missing := [name for name in _LOGIN if name not in given]:
        option = f"--os-{missing[0].replace('_', '-')}"
        raise InvalidValue(f"{option} is missing beside --os-auth-url.", missing[0])
    return from_aodh.token_of(from_aodh.Login(**given), verify)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise InvalidValue("--header is 'NAME: VALUE'.", "header")
    return name.strip(), value.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        message = f"cannot be read: {reason}. Check the path and its permissions."
        raise ConfigError([Problem(str(path), None, None, "", message)]) from error


def _tell_left(left: Sequence[Problem]) -> None:
    for problem in left:
        click.echo(str(problem), err=True)
