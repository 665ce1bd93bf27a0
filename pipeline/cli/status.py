"""`tocsin status`: how much of everything there is, and what wants a person."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import times
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document


@click.command()
@output_options
@click.option("--costly", is_flag=True, help="Load all alarms; name the costliest to match.")
@pass_desk
def status(desk: Desk, costly: bool, output: Output) -> None:
    """Show what is in the store, and what wants a person.

    `oldest_due` is the delivery that has waited longest beyond its time: if that grows, no
    notifier runs, or too few. `transitions_last_5_minutes` counts up to 1,000.
    Dead deliveries, rejected events and disabled actions want a person. `spared_receivers` have
    failed lately; to one that is open nothing goes but a try now and then.

    \b
    Examples:
      tocsin status
      tocsin status -f json -c deliveries_dead
    """
    found = desk.status.counts()
    shown = _fields(found)
    unpublished = {one["publisher"]: one["publications"] for one in _unpublished(found)}
    lines = [f"{url}: {publications(count)}" for url, count in unpublished.items()]
    shown["unpublished_by_publisher"] = Shown(unpublished, "\n".join(lines))
    shown["transitions_last_5_minutes"] = found["transitions_last_5_minutes"]
    if costly:
        buckets = [
            (one["project_id"], one["event_type"], one["alarms"]) for one in desk.status.costly()
        ]
        lines = [f"{p or 'all projects'}, {kind}: {count} alarms" for p, kind, count in buckets]
        shown["costly"] = Shown(buckets, "\n".join(lines) or "none")
    output.one(shown)


def publications(count: int) -> str:
    """So many publications, each of one event or several, for people."""
    return f"{count} publication{'' if count == 1 else 's'}"


def _unpublished(found: Document) -> list[Document]:
    unpublished: list[Document] = found["unpublished_by_publisher"]
    return unpublished


def _fields(found: Document) -> dict[str, Any]:
    deliveries, states = found["deliveries_by_state"], found["alarms_by_state"]
    disabled = {one["action"]: one["reason"] for one in found["disabled_actions"]}
    spared = found["spared_receivers"]
    return {
        "database": found["database"],
        "alarms": found["alarms"],
        **{f"alarms_{state.replace(' ', '_')}": n for state, n in sorted(states.items())},
        "revision": found["revision"],
        "firings": found["firings"],
        "deliveries_pending": deliveries.get("pending", 0),
        "deliveries_delivered": deliveries.get("delivered", 0),
        "deliveries_dead": deliveries.get("dead", 0),
        "deliveries_digested": deliveries.get("digested", 0),
        "oldest_due_seconds": found["oldest_due_seconds"],
        "rejected_events": found["rejected_events"],
        "unpublished_events": found["unpublished_events"],
        "disabled_actions": Shown(disabled, "\n".join(map(": ".join, disabled.items()))),
        "spared_receivers": Shown(
            {one["receiver"]: _spared(one) for one in spared},
            "\n".join(map(_spared_line, spared)),
        ),
    }


def _spared(one: Document) -> dict[str, Any]:
    return {
        "state": one["state"],
        "since": times.told(one["since"]),
        "next_try": times.told(one["next_try"]),
        "last_error": one["last_error"],
    }


def _spared_line(one: Document) -> str:
    """`https://receiver.example:8443: open since 2026-01-02T12:00:00Z: 503`."""
    since = f" since {times.told(one['since'])}" if one["since"] else ""
    return f"{one['receiver']}: {one['state']}{since}: {one['last_error']}"
