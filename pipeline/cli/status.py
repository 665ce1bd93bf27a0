"""`tocsin status`: how much of everything there is, and what wants a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from pipeline.app import Application
from pipeline.cli import times
from pipeline.cli.base import pass_application
from pipeline.cli.output import Output, Shown, output_options
from pipeline.masking import mask_url
from pipeline.store.guards import SparedReceiver
from pipeline.store.status import Counts

_LATELY = timedelta(minutes=5)


@click.command()
@output_options
@click.option("--costly", is_flag=True, help="Load all alarms; name the costliest to match.")
@pass_application
def status(application: Application, costly: bool, output: Output) -> None:
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
    store, now = application.store, application.clock()
    shown = _fields(store.counts(), store.name, now)
    unpublished = {mask_url(url): n for url, n in store.backlog().unpublished.items()}
    lines = [f"{url}: {publications(count)}" for url, count in sorted(unpublished.items())]
    shown["unpublished_by_publisher"] = Shown(unpublished, "\n".join(lines))
    shown["transitions_last_5_minutes"] = store.recent(now - _LATELY).transitions
    if costly:
        buckets = application.costly_alarms()
        lines = [f"{p or 'all projects'}, {kind}: {count} alarms" for p, kind, count in buckets]
        shown["costly"] = Shown(buckets, "\n".join(lines) or "none")
    output.one(shown)


def publications(count: int) -> str:
    """So many publications, each of one event or several, for people."""
    return f"{count} publication{'' if count == 1 else 's'}"


def _fields(counts: Counts, database: str, now: datetime) -> dict[str, Any]:
    deliveries, states = counts.deliveries_by_state, counts.alarms_by_state
    late = max((now - counts.oldest_due).total_seconds(), 0) if counts.oldest_due else 0
    disabled = {mask_url(action): why for action, why in counts.disabled_actions.items()}
    return {
        "database": database,
        "alarms": counts.alarms,
        **{f"alarms_{state.replace(' ', '_')}": n for state, n in sorted(states.items())},
        "revision": counts.revision,
        "firings": counts.firings,
        "deliveries_pending": deliveries.get("pending", 0),
        "deliveries_delivered": deliveries.get("delivered", 0),
        "deliveries_dead": deliveries.get("dead", 0),
        "deliveries_digested": deliveries.get("digested", 0),
        "oldest_due_seconds": round(late, 1),
        "rejected_events": counts.rejected,
        "unpublished_events": counts.unpublished_events,
        "disabled_actions": Shown(disabled, "\n".join(map(": ".join, disabled.items()))),
        "spared_receivers": Shown(
            {each.receiver: _spared(each) for each in counts.spared},
            "\n".join(_spared_line(each) for each in counts.spared),
        ),
    }


def _spared(each: SparedReceiver) -> dict[str, Any]:
    return {
        "state": each.state,
        "since": times.shown(each.since),
        "next_try": times.shown(each.probe_at),
        "last_error": each.last_error,
    }


def _spared_line(each: SparedReceiver) -> str:
    """`https://receiver.example:8443: open since 2026-01-02T12:00:00Z: 503`."""
    since = f" since {times.shown(each.since)}" if each.since else ""
    return f"{each.receiver}: {each.state}{since}: {each.last_error}"
