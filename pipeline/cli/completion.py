"""Shell completion: of alarms, deliveries, targets, events and the like, from the store.

click completes commands and options by itself. Completion never fails: without settings or a
database it offers nothing. Used as `shell_complete=` by the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from pipeline.dispatch.references import word
from pipeline.errors import TocsinError
from pipeline.masking import mask_url
from pipeline.store.archive import EventFilter
from pipeline.targets import fields_of, types

_MOST = 50
_SHELLS = ("bash", "zsh", "fish")

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completing(offers: Callable[[Any, str], Iterable[tuple[str, str]]]) -> Complete:
    """A `shell_complete` function out of one that yields (value, help) from a store."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            offered = list(offers(_application(ctx).store, incomplete))
        except TocsinError:
            return []
        fitting = [(value, help) for value, help in offered if value.startswith(incomplete)]
        return [CompletionItem(value, help=help) for value, help in fitting[:_MOST]]

    return complete


def _application(ctx: click.Context) -> Any:
    """What the root group would have made: while completing, click does not invoke it."""
    root = ctx.find_root()
    if root.obj is None:
        from pipeline.app import Application  # Here, since no command of ours needs it otherwise.

        root.obj = Application(root.params.get("config_path"))
    return root.obj


@_completing
def alarms(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """Names; ids as well once something is typed that no name begins with."""
    found = store.search(sort=(("name", "asc"),))
    names = [(alarm.name, alarm.description) for alarm in found]
    if any(name.startswith(incomplete) for name, _ in names):
        return names
    return [(alarm.alarm_id, alarm.name) for alarm in found]


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
def tokens(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """Names of API tokens that are not revoked."""
    return [(one.name, one.role) for one in store.tokens() if one.revoked_at is None]


@_completing
def events(store: Any, incomplete: str) -> Iterable[tuple[str, str]]:
    """The newest events of the archive."""
    return [(one.message_id, one.event_type) for one in store.events(EventFilter())]


def entries(kind: str) -> Complete:
    """The names of all targets, groups, filters or matchers."""
    return _completing(lambda store, incomplete: _entries(store, (kind,)))


def _entries(store: Any, kinds: Sequence[str]) -> Iterable[tuple[str, str]]:
    entries = [stored.entry for stored in store.entries()]
    return [(entry.name, entry.comment) for entry in entries if word(entry) in kinds]


receivers = _completing(lambda store, incomplete: _entries(store, ("target", "group")))


def kinds(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The kinds of notifications."""
    try:
        known = list(_application(ctx).kinds)
    except TocsinError:
        return []
    return [
        CompletionItem(kind.id, help=kind.description)
        for kind in known
        if kind.id.startswith(incomplete)
    ]


def target_types(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The types that a target may have."""
    return [CompletionItem(name) for name in types() if name.startswith(incomplete)]


def target_options(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The options of the type that is given, or of the target that is changed."""
    try:
        # Of a line whose last option has no value yet, click leaves the arguments in `args`.
        name = ctx.params.get("name") or next(iter(ctx.args), "")
        type = ctx.params.get("type_") or _type_of(ctx, name)
        names = [f"{name.replace('_', '-')}=" for name in fields_of(type)]
    except TocsinError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _type_of(ctx: click.Context, name: str) -> str:
    return str(getattr(_application(ctx).store.entry(name).entry, "type", ""))


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
