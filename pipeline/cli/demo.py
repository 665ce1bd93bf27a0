"""`tocsin demo`: the main job before a person's eyes, without any server."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table

from pipeline.demo import ALARMS, SAMPLE, Shown, play
from pipeline.receiver import Callback


@click.command()
def demo() -> None:
    """Show the main job: events in, alarms match, callbacks out. Needs no server.

    Creates four alarms on a temporary database, replays captured Keystone notifications through
    the whole pipeline, delivers to a small receiver that it starts, and shows what happened.
    Leaves nothing behind.
    """
    console = Console(highlight=False)
    console.print("\n[bold]Tocsin: events in, alarms matched, callbacks out[/bold]\n")
    shown = play(os.environ)
    _show_events(console, shown)
    _show_alarms(console, shown)
    _show_callbacks(console, shown)
    _show_next(console)


def _show_events(console: Console, shown: Shown) -> None:
    console.print(
        f"[bold]1. Events read.[/bold] {shown.messages} Keystone notifications, captured from "
        f"RabbitMQ,\n   were replayed; {shown.messages - shown.rejected} became events "
        f"with typed traits, {shown.rejected} were rejected.\n"
    )


def _show_alarms(console: Console, shown: Shown) -> None:
    fired = sum(bool(reasons) for reasons in shown.transitions.values())
    console.print(
        f"[bold]2. Alarms fired.[/bold] {fired} of the {len(shown.alarms)} alarms did:\n"
    )
    for alarm in shown.alarms:
        reasons = shown.transitions[alarm.alarm_id]
        color = "red" if reasons else "green"
        console.print(
            f"   [bold {color}]{escape(alarm.name)}[/] ({alarm.severity}) "
            f"{_fired(len(reasons))}; it is now [bold]{alarm.state}[/bold]"
        )
        if reasons:
            console.print(f"     {escape(reasons[0])}", style="dim", soft_wrap=True)
    console.print()


def _show_callbacks(console: Console, shown: Shown) -> None:
    console.print(
        f"[bold]3. Callbacks received.[/bold] {len(shown.callbacks)} POSTs reached the receiver "
        f"at {shown.receiver_url}:\n"
    )
    table = Table("path", "delivery", "state", "resource", "initiator", box=None, padding=(0, 1))
    for callback in shown.callbacks:
        body, traits = callback.json(), _traits(callback)
        table.add_row(
            callback.path,
            _short(callback.headers["webhook-id"]),
            f"{body['previous']} → {body['current']}",
            _short(traits.get("resource_id", "-")),
            _short(traits.get("initiator_id", "-")),
        )
    console.print(Padding(table, (0, 0, 1, 2)))
    first = next((c for c in shown.callbacks if c.path == "/user-deleted"), None)
    if first is not None:
        console.print("   The first of /user-deleted, with the body that Aodh would have sent:\n")
        body_text = Syntax(
            _readable(first.json()), "json", background_color="default", word_wrap=True
        )
        console.print(Padding(body_text, (0, 0, 1, 3)))


def _show_next(console: Console) -> None:
    alarms, sample = os.path.relpath(ALARMS), os.path.relpath(SAMPLE)
    python, tocsin = _runnable("python"), _runnable("tocsin")
    console.print("[bold]4. What to try next.[/bold] For real, with your own database:\n")
    for command, why in (
        (f"{python} -m pipeline.receiver --port 8900", "something to call"),
        (f"{tocsin} alarm create --file {alarms}", "the same four alarms"),
        (f"{tocsin} run", "listeners, alarms and notifier in one process"),
        (f"{tocsin} replay {sample}", "the same events, in another terminal"),
        (f"{tocsin} alarm history 'user deleted'", "what happened to an alarm"),
        (f"{tocsin} delivery list", "what was delivered, and what was not"),
        (f"{tocsin} normalise {sample}", "the event that each line becomes"),
    ):
        console.print(f"   [cyan]{command}[/cyan]", soft_wrap=True)
        console.print(f"      {why}", style="dim")
    console.print(
        "\n   With RabbitMQ: TOCSIN_RABBITMQ_URLS=amqp://guest:guest@localhost:5672/%2F "
        f"{tocsin} run\n",
        soft_wrap=True,
    )


def _fired(times: int) -> str:
    return {0: "did not fire", 1: "fired once"}.get(times, f"fired {times} times")


def _runnable(program: str) -> str:
    """How to call a program of this environment from here: by its name if that finds it."""
    here = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    return program if found and Path(found).samefile(here) else os.path.relpath(here)


def _traits(callback: Callback) -> dict[str, Any]:
    event = callback.json()["reason_data"]["event"]
    return {name: value for name, _, value in event["traits"]}


def _short(text: str) -> str:
    return text[:8]


def _readable(body: dict[str, Any]) -> str:
    """The body as JSON, indented, with each trait on a line of its own."""
    event = body["reason_data"]["event"]
    traits, event["traits"] = event["traits"], "…"
    lines = ",\n".join(" " * 8 + json.dumps(trait, ensure_ascii=False) for trait in traits)
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return text.replace('"traits": "…"', f'"traits": [\n{lines}\n      ]')
