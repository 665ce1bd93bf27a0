"""What is done to the processes and their servers while events go in; one thing at a time.

`Disturbances.next` draws from a shuffled deck of all kinds, so that each is done before any is
done again, and counts what it did. Whatever a disturbance takes away it gives back before it
returns, mostly after a random while in which processes may die on top.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from faults.failing import FAILING_TABLES, FAILURES, fail_once
from faults.fleet import LISTENERS, NOTIFIERS, Fleet
from faults.postgresql_server import OwnPostgresql
from listeners.rabbitmq_server import OwnRabbitmq

_CLOCK_JUMPS_SECONDS = (-8.0, -1.0, 2.0, 9.0)


class Disturbances:
    """All kinds, for processes on one RabbitMQ node and, if given, one PostgreSQL cluster."""

    def __init__(
        self,
        fleet: Fleet,
        rabbitmq: OwnRabbitmq,
        chance: random.Random,
        postgresql: OwnPostgresql | None = None,
    ) -> None:
        self._fleet, self._rabbitmq, self._chance = fleet, rabbitmq, chance
        self._deck: list[Callable[[], str]] = []
        self._kinds: list[Callable[[], str]] = [
            *(self._kill_listener, self._kill_notifier) * 3,
            self._kill_all_listeners,
            self._kill_worker,
            self._terminate,
            self._jump_clock,
            self._restart_rabbitmq,
            self._close_rabbitmq_connections,
            self._raise_memory_alarm,
        ]
        if postgresql is None:
            self._kinds += [self._fill_disk] * 2
        else:
            self._postgresql = postgresql
            self._kinds += [
                *(self._drop_connections, self._fail_transactions) * 2,
                self._restart_postgresql,
                self._crash_postgresql,
            ]
        self.done: Counter[str] = Counter()

    @property
    def all_done(self) -> bool:
        """Whether every kind has been done at least once."""
        return bool(self.done) and not self._deck

    def next(self) -> None:
        """Do the next one."""
        if not self._deck:
            self._deck = self._chance.sample(self._kinds, len(self._kinds))
        kind = self._deck.pop()
        self.done[kind()] += 1
        self._fleet.supervise()

    # --- processes ---------------------------------------------------------------------------

    def _kill_listener(self) -> str:
        self._fleet.kill(self._chance.choice(LISTENERS))
        return "a listener killed (kill -9)"

    def _kill_notifier(self) -> str:
        self._fleet.kill(self._chance.choice(NOTIFIERS))
        return "a notifier killed (kill -9)"

    def _kill_all_listeners(self) -> str:
        for name in LISTENERS:
            self._fleet.kill(name)
        return "both listeners killed (kill -9)"

    def _kill_worker(self) -> str:
        self._fleet.kill_worker()
        return "a worker killed under its parent (kill -9)"

    def _terminate(self) -> str:
        name = self._chance.choice(self._fleet.names)
        self._fleet.terminate(name)
        return f"a {name.partition('-')[0]} told to end (SIGTERM)"

    def _jump_clock(self) -> str:
        seconds = self._chance.choice(_CLOCK_JUMPS_SECONDS)
        self._fleet.set_clock(self._chance.choice(self._fleet.names), seconds)
        return f"a process's clock set {'ahead' if seconds > 0 else 'back'}"

    # --- RabbitMQ ----------------------------------------------------------------------------

    def _restart_rabbitmq(self) -> str:
        hard = self._chance.random() < 0.5
        if hard:
            self._rabbitmq.kill()
        else:
            self._rabbitmq.stop()
        self._meanwhile()
        self._rabbitmq.start()
        return f"RabbitMQ {'killed (kill -9)' if hard else 'stopped'} and started"

    def _close_rabbitmq_connections(self) -> str:
        self._rabbitmq.rabbitmqctl("close_all_connections", "disturbed")
        return "RabbitMQ's connections closed by command"

    def _raise_memory_alarm(self) -> str:
        self._rabbitmq.rabbitmqctl("set_vm_memory_high_watermark", "0.0000001")
        try:
            self._meanwhile()
        finally:
            self._rabbitmq.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
        return "RabbitMQ's memory alarm raised (connection.blocked)"

    # --- the database --------------------------------------------------------------------------

    def _fill_disk(self) -> str:
        with self._fleet.full_disk():
            self._meanwhile()
        return "the disk full for SQLite"

    def _drop_connections(self) -> str:
        self._postgresql.drop_connections()
        return "PostgreSQL's connections dropped"

    def _restart_postgresql(self) -> str:
        self._postgresql.stop()
        self._meanwhile()
        self._postgresql.start()
        return "PostgreSQL stopped and started"

    def _crash_postgresql(self) -> str:
        self._postgresql.crash()
        self._meanwhile()
        self._postgresql.start()
        return "PostgreSQL crashed and started"

    def _fail_transactions(self) -> str:
        table = self._chance.choice(FAILING_TABLES)
        kind = self._chance.choice(tuple(FAILURES))
        fail_once(self._postgresql, table, kind)
        return f"a {kind} forced, writing to {table}"

    def _meanwhile(self) -> None:
        """Let a random while pass, in which a process may die as well."""
        time.sleep(self._chance.uniform(0.0, 1.5))
        if self._chance.random() < 0.5:
            self._fleet.kill(self._chance.choice(self._fleet.names))
            self.done["a process killed during another disturbance"] += 1


def wait_random(chance: random.Random, most_seconds: float) -> None:
    """Let a random while pass, so that the next disturbance comes at any moment."""
    time.sleep(chance.uniform(0.0, most_seconds))


def as_report(title: str, counts: Counter[str], **figures: Any) -> str:
    """What was done, a line each."""
    lines = [title, *(f"  {count:>7,}  {what}" for what, count in sorted(counts.items()))]
    lines += [f"  {value:>7,}  {name.replace('_', ' ')}" for name, value in figures.items()]
    return "\n".join(lines)
