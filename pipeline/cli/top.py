"""`tocsin top`: what goes on at this moment, on one screen of a terminal.

Reads the store, at a bounded cost, and the /metrics of the processes that are named. Draws; it
changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.app import Application
from pipeline.cli.base import pass_application
from pipeline.cli.scrape import Between, Page, between, look
from pipeline.errors import StoreUnavailable
from pipeline.masking import mask_url
from pipeline.store.base import Backlog, Fired, ReceiverLoad, Recent

_WINDOW = timedelta(minutes=5)
_ROWS = 8
_SLOW_SECONDS, _LATE_SECONDS = 1.0, 60.0
_STATES = {"alarm": "bold red", "ok": "green", "insufficient data": "yellow"}


@dataclass(frozen=True, slots=True)
class Process:
    """A process that was looked at, and what it did since the look before."""

    url: str
    page: Page
    did: Between | None


@dataclass(frozen=True, slots=True)
class Moment:
    """All that one screen shows."""

    now: datetime
    database: str
    backlog: Backlog | None
    recent: Recent | None
    problem: str = ""
    processes: Sequence[Process] = ()


@click.command()
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="A process's metrics, as http://127.0.0.1:9464. May be given several times.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@click.option("--once", is_flag=True, help="Print one screen and end.")
@pass_application
def top(application: Application, urls: Sequence[str], interval: float, once: bool) -> None:
    """Show what goes on now: rates, lag, firing alarms, slow receivers. Ctrl-C ends it.

    Of the database the last five minutes are looked at. Rates of events are known to the
    processes only: name them with --url.

    \b
    Examples:
      tocsin top
      tocsin top --url http://127.0.0.1:9464 --url http://127.0.0.1:9465
    """
    before = {url: look(url) for url in urls}
    console = Console()
    if once:
        if urls:
            time.sleep(interval)
        console.print(screen(_moment(application, urls, before)))
        return
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            moment = _moment(application, urls, before)
            live.update(screen(moment), refresh=True)
            before = {process.url: process.page for process in moment.processes}
            time.sleep(interval)


def _moment(application: Application, urls: Sequence[str], before: dict[str, Page]) -> Moment:
    now, store = application.clock(), application.store
    processes = []
    for url in urls:
        page, earlier = look(url), before.get(url)
        known = earlier is not None and not (page.problem or earlier.problem)
        processes.append(Process(url, page, between(earlier, page) if known and earlier else None))
    try:
        backlog, recent = store.backlog(), store.recent(now - _WINDOW)
    except StoreUnavailable as error:
        return Moment(now, store.name, None, None, str(error), processes)
    return Moment(now, store.name, backlog, recent, processes=processes)


# --- drawing -------------------------------------------------------------------------------------


def screen(moment: Moment) -> RenderableType:
    """The moment, in 80 columns or more."""
    parts: list[RenderableType] = [_head(moment)]
    if moment.problem:
        parts.append(Text(f"database: {moment.problem}", style="bold red"))
    if moment.processes:
        parts += ["", _processes(moment.processes)]
    if moment.recent is not None:
        parts += ["", _receivers(moment.recent.receivers[:_ROWS])]
        parts += ["", _fired(moment.recent.fired[:_ROWS], moment.now)]
    return Group(*parts)


def _head(moment: Moment) -> RenderableType:
    head = Table.grid(padding=(0, 3))
    head.add_row(
        Text("tocsin", style="bold"), moment.database, f"{moment.now:%Y-%m-%d %H:%M:%S} UTC"
    )
    figures = Text()
    if moment.recent is not None:
        count, per_second = moment.recent.transitions, moment.recent.transitions_per_second
        more = "+" if count >= 1_000 else ""
        figures.append(f"transitions {count}{more} ({_rate(per_second)}/s)   ")
    if moment.backlog is not None:
        _append_backlog(figures, moment.backlog, moment.now)
    return Group(head, figures)


def _append_backlog(figures: Text, backlog: Backlog, now: datetime) -> None:
    late = max((now - backlog.oldest_due).total_seconds(), 0.0) if backlog.oldest_due else 0.0
    figures.append(f"pending {backlog.pending}   ")
    figures.append(f"oldest due {_seconds(late)}   ", "bold red" if late > _LATE_SECONDS else "")
    for name, count in (
        ("dead", backlog.dead),
        ("rejected", backlog.rejected),
        ("disabled", backlog.disabled),
    ):
        figures.append(f"{name} {count}  ", "yellow" if count else "")
    for url, count in sorted(backlog.unpublished.items()):
        figures.append(f"\nunpublished {count} to {mask_url(url)}", "yellow")


def _processes(processes: Sequence[Process]) -> Table:
    table = _table("process", "events/s", "matched", "fired", "sent", "failed", "lag", "µs/event")
    for process in processes:
        name = process.url.partition("://")[2].removesuffix("/metrics").rstrip("/")
        if process.page.problem:
            table.add_row(name, Text("no answer", style="red"), *[""] * 6)
            continue
        ready = process.page.totals.get("tocsin_ready", 0) > 0
        label = Text(name, style="" if ready else "red")
        did = process.did
        if did is None:
            table.add_row(label, *["…"] * 7)
            continue
        failed = did.attempts_per_second["failed"] + did.attempts_per_second["refused"]
        table.add_row(
            label,
            _rate(did.events_per_second),
            _rate(did.matched_per_second),
            _rate(did.firings_per_second),
            _rate(did.attempts_per_second["delivered"]),
            Text(_rate(failed), style="red" if failed else ""),
            "" if did.lag_seconds is None else _seconds(did.lag_seconds),
            "" if did.match_microseconds is None else f"{did.match_microseconds:.0f}",
        )
    return table


def _receivers(receivers: Sequence[ReceiverLoad]) -> Table:
    table = _table("receiver", "waiting", "delivered", "failed", "refused", "mean", "slowest")
    for load in receivers:
        counts = load.attempts
        slow = "bold red" if load.mean_seconds > _SLOW_SECONDS else ""
        bad = {name: counts.get(name, 0) for name in ("failed", "refused")}
        table.add_row(
            load.receiver,
            str(load.waiting),
            str(counts.get("delivered", 0)),
            *(Text(str(count), style="red" if count else "") for count in bad.values()),
            Text(_seconds(load.mean_seconds) if counts else "", style=slow),
            _seconds(load.slowest_seconds) if counts else "",
        )
    if not receivers:
        table.add_row(Text("no delivery in the last 5 minutes", style="dim"))
    return table


def _fired(fired: Sequence[Fired], now: datetime) -> Table:
    table = _table("alarm", "state", "severity", "times", "ago")
    for alarm in fired:
        table.add_row(
            alarm.name or alarm.alarm_id,
            Text(alarm.state, style=_STATES.get(alarm.state, "")),
            alarm.severity,
            str(alarm.times),
            _seconds(max((now - alarm.last_at).total_seconds(), 0.0)),
        )
    if not fired:
        table.add_row(Text("no transition in the last 5 minutes", style="dim"))
    return table


def _table(first: str, *others: str) -> Table:
    """The first column takes what room there is; the others are figures."""
    table = Table(
        box=None, expand=True, padding=(0, 1), header_style="bold reverse", pad_edge=False
    )
    table.add_column(first, ratio=1, no_wrap=True, overflow="ellipsis")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _rate(per_second: float) -> str:
    if per_second >= 100 or per_second == 0:
        return f"{per_second:,.0f}"
    return f"{per_second:.1f}" if per_second >= 0.1 else f"{per_second:.2f}"


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for limit, divisor, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
