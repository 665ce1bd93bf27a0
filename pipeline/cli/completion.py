"""Shell completion: of alarms, deliveries, targets, events and the like, as the desk has them.

click completes commands and options by itself. Completion never fails: without settings, or where
neither database nor server answers, it offers nothing. Used as `shell_complete=` by the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from pipeline.desk import Desk, Document
from pipeline.desk.kept import DeliveryFilter
from pipeline.errors import TocsinError
from pipeline.store.archive import EventFilter

_MOST, _LOOKED_AT, _MOST_ALARMS = 50, 100, 5_000
_FORMS = ("exact", "regex")
_SHELLS = ("bash", "zsh", "fish")

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completing(offers: Callable[[Desk, str], Iterable[tuple[str, str]]]) -> Complete:
    """A `shell_complete` function out of one that yields (value, help) from a desk."""
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
        from pipeline.cli.opening import application  # Here, since commands are handed theirs.

        root.obj = application(**{name: root.params.get(name) for name in _GIVEN})
    return root.obj


_GIVEN = ("config_path", "server", "token")


@_completing
def alarms(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """Names; ids as well once something is typed that no name begins with."""
    found = desk.alarms.search(sort=(("name", "asc"),), limit=_MOST_ALARMS).items
    names = [(str(alarm["name"]), str(alarm["description"])) for alarm in found]
    if any(name.startswith(incomplete) for name, _ in names):
        return names
    return [(alarm["alarm_id"], alarm["name"]) for alarm in found]


@_completing
def deliveries(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest deliveries."""
    found = desk.deliveries.search(DeliveryFilter(), _LOOKED_AT).items
    return [(one["delivery_id"], f"{one['state']} {_about(one)}") for one in found]


@_completing
def dead_letters(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest dead letters."""
    found = desk.dead_letters.search(DeliveryFilter(), _LOOKED_AT).items
    return [(one["delivery_id"], _about(one)) for one in found]


def _about(delivery: Document) -> str:
    """The alarm that it tells of; of what is no alarm, its kind."""
    return str(delivery["alarm_name"] or delivery["kind"])


@_completing
def rejected_events(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest rejected events."""
    found = desk.rejected_events.search(_LOOKED_AT).items
    return [(one["rejected_id"], one["reason"]) for one in found]


@_completing
def publications(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The oldest publications."""
    found = desk.publications.search(limit=_LOOKED_AT).items
    return [(one["publication_id"], one["publisher"]) for one in found]


@_completing
def tokens(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """Names of API tokens that are not revoked."""
    listed = desk.tokens.listed()
    return [(one["name"], one["role"]) for one in listed if one["state"] != "revoked"]


@_completing
def events(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest events of the archive."""
    found = desk.events.search(EventFilter(), _LOOKED_AT).items
    return [(one["message_id"], one["event_type"]) for one in found]


def entries(*kinds: str) -> Complete:
    """The names of all targets, groups, filters or matchers."""

    @_completing
    def named(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
        listed = [entry for kind in kinds for entry in desk.entries.listed(kind)]
        return [(entry["name"], entry.get("comment", "")) for entry in listed]

    return named


receivers = entries("target", "group")


@_completing
def kinds(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The kinds of notifications."""
    return [(kind["id"], kind["description"]) for kind in desk.notifications.kinds()]


@_completing
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


@_completing
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
def event_types(desk: Desk, incomplete: str) -> Iterable[tuple[str, str]]:
    """The types of the events in the archive."""
    types = desk.events.types(EventFilter())
    return [(one["event_type"], f"{one['events']} events") for one in types]


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
