"""Shell completion: of alarms, deliveries, targets, events and the like, as the desk has them.

click completes commands and options by itself. Completion never fails: without settings or a
database it offers nothing. Used as `shell_complete=` by the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from pipeline.desk import Desk
from pipeline.errors import TocsinError
from pipeline.masking import mask_url
from pipeline.store.archive import EventFilter

_MOST, _MOST_ALARMS = 50, 5_000
_FORMS = ("exact", "regex")
_SHELLS = ("bash", "zsh", "fish")

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completing(offers: Callable[[Any, str], Iterable[tuple[str, str]]]) -> Complete:
    """A `shell_complete` function out of one that yields (value, help) from a store."""
    return _offering(lambda ctx, incomplete: offers(_application(ctx).store, incomplete))


def _asking(offers: Callable[[Desk, str], Iterable[tuple[str, str]]]) -> Complete:
    """The same, out of one that asks the desk."""
    return _offering(lambda ctx, incomplete: offers(_application(ctx).desk, incomplete))


def _offering(offers: Callable[[click.Context, str], Iterable[tuple[str, str]]]) -> Complete:
    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            offered = list(offers(ctx, incomplete))
        except (TocsinError, click.ClickException):
            return []
        fitting = [(value, help) for value, help in offered if value.startswith(incomplete)]
        return [CompletionItem(value, help=help or None) for value, help in fitting[:_MOST]]

    return complete


def _application(ctx: click.Context) -> Any:
    """What the root group would have made: while completing, click does not invoke it."""
    root = ctx.find_root()
    if root.obj is None:
        # Here, since these know all commands, and those know this.
        from pipeline.app import Application
        from pipeline.cli.main import client_of

        given = root.params
        client = client_of(given.get("server"), given.get("token"))
        root.obj = Application(given.get("config_path"), client=client)
    return root.obj


@_asking
def alarms(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """Names; ids as well once something is typed that no name begins with."""
    found = desk.alarms.search(sort=(("name", "asc"),), limit=_MOST_ALARMS).items
    names = [(str(alarm["name"]), str(alarm["description"])) for alarm in found]
    if any(name.startswith(incomplete) for name, _ in names):
        return names
    return [(alarm["alarm_id"], alarm["name"]) for alarm in found]


@_completing
def deliveries(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest deliveries."""
    return [(one.delivery_id, f"{one.state} {one.alarm_name}") for one in store.deliveries()]


@_completing
def dead_letters(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest dead letters."""
    return [(one.delivery_id, one.alarm_name) for one in store.deliveries(state="dead")]


@_completing
def rejected_events(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest rejected events."""
    return [(one.rejected_id, one.reason) for one in store.rejected()]


@_completing
def publications(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """The oldest publications."""
    return [(one.publication_id, mask_url(one.publisher)) for one in store.publications()]


@_completing
def events(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest events of the archive."""
    return [(one.message_id, one.event_type) for one in store.events(EventFilter())]


def entries(*kinds: str) -> Complete:
    """The names of all targets, groups, filters or matchers."""

    @_asking
    def named(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
        listed = [entry for kind in kinds for entry in desk.entries.listed(kind)]
        return [(entry["name"], entry.get("comment", "")) for entry in listed]

    return named


receivers = entries("target", "group")


@_asking
def kinds(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The kinds of notifications."""
    return [(kind["id"], kind["description"]) for kind in desk.notifications.kinds()]


@_asking
def target_types(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The types that a target may have."""
    return [(name, "") for name in desk.targets.types()]


@_offering
def target_options(ctx: click.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """The options of the type that is given, or of the target that is changed."""
    desk = _application(ctx).desk
    # Of a line whose last option has no value yet, click leaves the arguments in `args`.
    name = ctx.params.get("name") or next(iter(ctx.args), "")
    type = ctx.params.get("type_") or desk.entries.found("target", name)["type"]
    return [(f"{each['option']}=", each["holds"]) for each in desk.targets.options(type)]


@_asking
def match_fields(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """Rules on fields: how they are compared, with which field, and values that it had."""
    form, colon, rest = incomplete.partition(":")
    if form not in _FORMS or not colon:
        return [(f"{each}:", "") for each in _FORMS]
    name, equals, given = rest.partition("=")
    if not equals:
        fields = desk.routes.fields()
        return [(f"{form}:{each['name']}=", each["comment"]) for each in fields]
    if form != "exact":
        return []
    before = incomplete[: len(incomplete) - len(given.rpartition(",")[2])]
    return [(f"{before}{each['value']}", each["comment"]) for each in desk.routes.values(name)]


@_completing
def event_types(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """The types of the events in the archive."""
    types = store.event_types(EventFilter())
    return [(one.event_type, f"{one.events} events") for one in types]


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a SHELL complete commands and names.

    \b
    Examples:
      eval "$(tocsin completion bash)"                                # in ~/.bashrc
      eval "$(tocsin completion zsh)"                                 # in ~/.zshrc
      tocsin completion fish > ~/.config/fish/completions/tocsin.fish
    """
    root = ctx.find_root()
    name = root.info_name or "tocsin"
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    shell_class = get_completion_class(shell)
    assert shell_class is not None
    click.echo(shell_class(root.command, {}, name, variable).source())
