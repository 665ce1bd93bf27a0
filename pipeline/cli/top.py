"""`tocsin top`: what goes on at this moment, on one screen of a terminal.

Asks the desk for what the store says, at a bounded cost, and the processes that are named for
their /metrics. Draws; it changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.cli import times
from pipeline.cli.base import Application, pass_application
from pipeline.cli.scrape import Between, Page, between, look, nearby
from pipeline.cli.status import publications
from pipeline.desk import Desk, Document
from pipeline.errors import StoreUnavailable

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
    """All that one screen shows: the desk's `backlog` and `recent`, or the `problem` with it."""

    now: datetime
    database: str
    backlog: Document | None
    recent: Document | None
    problem: str = ""
    processes: Sequence[Process] = ()


@click.command()
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="A process's metrics, as http://127.0.0.1:9464, in place of those of this machine. May "
    "be given several times.",
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
    """Show what goes on now: rates, lag, alarms, slow receivers. Ctrl-C ends it.

    Of the database the last five minutes are looked at. Rates of events are known to the
    processes only: those of this machine are found by their ports; name others with --url, and
    with --server all of them.

    \b
    Examples:
      tocsin top
      tocsin top --url http://listener-1:9464 --url http://listener-2:9464
    """
    looked_at = _Processes(application, urls)
    whole = _Whole(application.desk, application.clock)
    console = Console()
    if once:
        if looked_at.look():
            time.sleep(interval)
        console.print(screen(whole.look(looked_at.look())))
        return
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            live.update(screen(whole.look(looked_at.look())), refresh=True)
            time.sleep(interval)


class _Processes:
    """The processes that are named, or those that are found on this machine, unless it is another
    that is asked."""

    def __init__(self, application: Application, urls: Sequence[str]) -> None:
        self._named = bool(urls)
        settings = application.settings
        self._urls = urls or ([] if settings.client.server else nearby(settings.metrics))
        self._before: dict[str, Page] = {}

    def look(self) -> list[Process]:
        """Look at all, once. Who was not named and is no process of ours is passed over."""
        pages = {url: look(url) for url in self._urls}
        before, self._before = self._before, pages
        return [
            Process(url, page, _since(before.get(url), page))
            for url, page in pages.items()
            if self._named or "tocsin_ready" in page.totals
        ]


def _since(before: Page | None, page: Page) -> Between | None:
    if before is None or before.problem or page.problem:
        return None
    return between(before, page)


class _Whole:
    """The desk, and what is known of it while it does not answer."""

    def __init__(self, desk: Desk, clock: Callable[[], datetime]) -> None:
        self._desk, self._clock = desk, clock
        self._database = ""

    def look(self, processes: Sequence[Process]) -> Moment:
        """Ask once. Raises `StoreUnavailable` only where it has never answered."""
        try:
            found = self._desk.status.recent()
        except StoreUnavailable as error:
            if not self._database:
                raise
            return Moment(self._clock(), self._database, None, None, str(error), processes)
        self._database, now = found["database"], times.of_document(found["now"])
        return Moment(now, self._database, found["backlog"], found["recent"], processes=processes)


# --- drawing -------------------------------------------------------------------------------------


def screen(moment: Moment) -> RenderableType:
    """The moment, in 80 columns or more."""
    parts: list[RenderableType] = [_head(moment)]
    if moment.problem:
        parts.append(Text(f"database: {moment.problem}", style="bold red"))
    if moment.processes:
        parts += ["", _processes(moment.processes)]
    if moment.recent is not None:
        parts += ["", _receivers(moment.recent["receivers"][:_ROWS])]
        parts += ["", _fired(moment.recent["fired"][:_ROWS], moment.now)]
    return Group(*parts)


def _head(moment: Moment) -> RenderableType:
    head = Table.grid(padding=(0, 3))
    head.add_row(
        Text("tocsin", style="bold"), moment.database, f"{moment.now:%Y-%m-%d %H:%M:%S} UTC"
    )
    lines: list[RenderableType] = [head]
    if moment.recent is not None:
        count = moment.recent["transitions"]
        per_second = moment.recent["transitions_per_second"]
        more = "+" if count >= 1_000 else ""
        said = f"last 5 minutes: {count}{more} transitions, {_rate(per_second)}/s"
        lines.append(Text(said))
    if moment.backlog is not None:
        lines += _backlog(moment.backlog)
    return Group(*lines)


def _backlog(backlog: Document) -> list[Text]:
    """What waits, in a line; and a line for each sink that does not take its events."""
    late = backlog["oldest_due_seconds"]
    figures = Text(f"deliveries pending {backlog['pending']}  ")
    figures.append(f"oldest due {_seconds(late)}  ", "bold red" if late > _LATE_SECONDS else "")
    for name in ("dead", "rejected", "disabled"):
        figures.append(f"{name} {backlog[name]}  ", "yellow" if backlog[name] else "")
    figures.rstrip()
    behind = [
        Text(f"not yet taken by {one['publisher']}: {publications(one['publications'])}", "yellow")
        for one in backlog["unpublished_by_publisher"]
    ]
    return [figures, *behind]


def _processes(processes: Sequence[Process]) -> RenderableType:
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
    problems = [each.page.problem for each in processes if each.page.problem]
    return Group(table, *(Text(problem, style="red") for problem in problems))


def _receivers(receivers: Sequence[Document]) -> RenderableType:
    columns = ("waiting", "delivered", "failed", "refused", "mean", "slowest", "breaker")
    table = _table("receiver", *columns)
    for load in receivers:
        counts, mean = load["attempts"], load["mean_seconds"]
        slow = "bold red" if mean > _SLOW_SECONDS else ""
        bad = {name: counts.get(name, 0) for name in ("failed", "refused")}
        breaker = load["breaker"]
        table.add_row(
            load["receiver"],
            str(load["waiting"]),
            str(counts.get("delivered", 0)),
            *(Text(str(count), style="red" if count else "") for count in bad.values()),
            Text(_seconds(mean) if counts else "", style=slow),
            _seconds(load["slowest_seconds"]) if counts else "",
            Text(breaker, style="bold red" if breaker == "open" else "yellow"),
        )
    return _or_else(table, "no delivery in the last 5 minutes")


def _fired(fired: Sequence[Document], now: datetime) -> RenderableType:
    table = _table("alarm", "state", "severity", "times", "ago")
    for alarm in fired:
        ago = (now - times.of_document(alarm["last_at"])).total_seconds()
        table.add_row(
            alarm["name"] or alarm["alarm_id"],
            Text(alarm["state"], style=_STATES.get(alarm["state"], "")),
            alarm["severity"],
            str(alarm["times"]),
            _seconds(max(ago, 0.0)),
        )
    return _or_else(table, "no transition in the last 5 minutes")


def _or_else(table: Table, none: str) -> RenderableType:
    """The table; without rows also what that means, over its whole width."""
    return table if table.row_count else Group(table, Text(none, style="dim"))


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
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for limit, divisor, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
