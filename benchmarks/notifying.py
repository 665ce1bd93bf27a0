"""How fast one `tocsin notifier` delivers callbacks with every outcome recorded.

The database is filled with due deliveries of about 1.5 KB to one receiver that answers at once
(`benchmarks.notifying_receiver`). The clock runs from the first callback until no delivery is
pending, so that nobody pays for starting, and the last outcome counts. Afterwards every delivery
must be recorded as delivered in one attempt, and have come once. CPU is the notifier's own, user
and system, over the same time.

Beside it, in the same round, the bare sending of the same bodies by one thread: by `requests`, by
urllib3's pool, by `http.client`, and over a raw socket. They record nothing. The target of 4,000
was set where `requests` made 2,350; held against it, it is one for faster and slower machines too.

A second run gives every tenth delivery to a receiver that never answers (delivery 8): the rate of
the others is held against the run without it, of the same round.

    python -m benchmarks.notifying [--deliveries 12000] [--rounds 7] [--database postgresql sqlite]
"""

from __future__ import annotations

import argparse
import http.client
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import requests
import urllib3
from sqlalchemy import Connection, create_engine, text

from benchmarks.notifying_receiver import FastReceiver, fast_receiver, hanging_receiver
from benchmarks.surroundings import TocsinProcess, an_alarm_for_all, postgresql_database
from benchmarks.tables import Figure, Row, show
from pipeline.alarms.alarm import Alarm, State, Transition
from pipeline.event import Event, TraitType
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets import aodh

_HANGING_EVERY = 10
_DEADLINE_SECONDS = 120
_TARGET, _OF_REQUESTS, _HANGING_TARGET = 4_000, 4_000 / 2_350, 0.95
_TRAITS = (
    "service",
    "project_id",
    "user_id",
    "initiator_id",
    "outcome",
    "action",
    "observer_id",
    "resource_id",
    "request_id",
    "reason",
)
_TRAIT_LENGTH = 80


@dataclass(frozen=True)
class Sent:
    """One contender's run: callbacks a second, and its CPU in µs a callback."""

    rate: float
    cpu_us: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and show the table."""
    options = _options(arguments)
    bare: dict[str, list[Sent]] = {name: [] for name in _BARE}
    alone: dict[str, list[Sent]] = {kind: [] for kind in options.database}
    beside: dict[str, list[Sent]] = {kind: [] for kind in options.database}
    with fast_receiver() as receiver, hanging_receiver() as hanging:
        for _ in range(options.rounds):
            for name, send in _BARE.items():
                bare[name].append(_bare(send, receiver, options.deliveries // 4))
            for kind in options.database:
                alone[kind].append(_notify(kind, receiver, None, options.deliveries))
                beside[kind].append(_notify(kind, receiver, hanging, options.deliveries))
    _show(bare, alone, beside)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--deliveries", type=int, default=12_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--database", nargs="+", default=["postgresql", "sqlite"])
    return parser.parse_args(arguments)


def _show(
    bare: dict[str, list[Sent]], alone: dict[str, list[Sent]], beside: dict[str, list[Sent]]
) -> None:
    rows = [Row("notifying", f"bare sending: {name}", _figures(bare[name])) for name in bare]
    for kind, sent in alone.items():
        of_requests = [
            one.rate / other.rate for one, other in zip(sent, bare["requests"], strict=True)
        ]
        held = Figure("of requests", of_requests, _OF_REQUESTS)
        rows.append(Row("notifying", f"notifier, {kind}", [*_figures(sent, _TARGET), held]))
        pairs = zip(beside[kind], sent, strict=True)
        kept = [with_it.rate / without.rate for with_it, without in pairs]
        of_alone = Figure("of the rate without", kept, _HANGING_TARGET)
        figures = [*_figures(beside[kind]), of_alone]
        rows.append(Row("notifying", f"notifier, {kind}, one receiver of two hangs", figures))
    show(rows)


def _figures(sent: Sequence[Sent], target: float | None = None) -> list[Figure]:
    rates, cpu = [each.rate for each in sent], [each.cpu_us for each in sent]
    return [Figure("callbacks/s", rates, target), Figure("CPU µs a callback", cpu)]


# --- the notifier --------------------------------------------------------------------------------


@contextmanager
def _database(kind: str) -> Iterator[str]:
    """The URL of a new database."""
    if kind == "postgresql":
        with postgresql_database("notifying") as url:
            yield url
    else:
        with tempfile.TemporaryDirectory() as directory:
            yield f"sqlite:///{directory}/tocsin.sqlite"


def _notify(kind: str, receiver: FastReceiver, hanging: str | None, count: int) -> Sent:
    """Fill the outbox, let a notifier empty it, check what it recorded."""
    expected = count - (count // _HANGING_EVERY if hanging else 0)
    with _database(kind) as url:
        fill(url, receiver.url, hanging, count)
        receiver.taken()
        # What hangs is not waited for at the end.
        settings = {"TOCSIN_DATABASE_URL": url, "TOCSIN_PROCESS_DRAIN_SECONDS": "0"}
        with _looking(url) as look, TocsinProcess("notifier", settings) as process:
            cpu_seconds, ended = _watch(process, look, receiver.url, expected)
        taken = receiver.taken()
    if (taken.requests, taken.deliveries) != (expected, expected):
        raise AssertionError(f"{expected} deliveries, but the receiver has {taken}")
    return Sent(expected / (ended - taken.first), cpu_seconds / expected * 1e6)


def fill(database: str, url: str, hanging: str | None, count: int) -> None:
    """Make that many deliveries due; every tenth to `hanging`, if there is one."""
    now = datetime.now(UTC)
    fast, slow = an_alarm_for_all(url), an_alarm_for_all(hanging or url)
    transitions = [
        _transition(fast if number % _HANGING_EVERY else slow, number, now)
        for number in range(count)
    ]
    with SqlStore.open(DatabaseSettings(url=database)) as store:
        store.create_many([fast, slow])
        with store.begin() as transaction:
            transaction.save_transitions(transitions)
    with _looking(database) as connection:
        connection.execute(text("VACUUM"))
        connection.execute(text("ANALYZE"))


@contextmanager
def _looking(database: str) -> Iterator[Connection]:
    """A connection to look at the database with, each time as it now is."""
    engine = create_engine(database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _watch(process: TocsinProcess, look: Connection, url: str, count: int) -> tuple[float, float]:
    """The CPU seconds from the first outcome to the last, and when that was."""
    pending = text("SELECT 1 FROM delivery WHERE state = 'pending' AND action = :url LIMIT 1")
    outcomes = text("SELECT count(*) FROM attempt WHERE outcome = 'delivered'")
    began: float | None = None
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while (now := time.monotonic()) < deadline:
        cpu = process.cpu_seconds()
        left = look.scalar(pending, {"url": url})
        if began is None and look.scalar(text("SELECT 1 FROM attempt LIMIT 1")):
            began = cpu
        if left is None and began is not None:
            if (recorded := look.scalar(outcomes)) != count:
                raise AssertionError(f"{count} deliveries, {recorded} outcomes recorded")
            return cpu - began, now
        time.sleep(0.02)
    raise TimeoutError(f"not everything was delivered in {_DEADLINE_SECONDS} s")


def _transition(alarm: Alarm, number: int, now: datetime) -> Transition:
    traits = {name: f"{number:08d}-{name}".ljust(_TRAIT_LENGTH, "x") for name in _TRAITS}
    types = dict.fromkeys(traits, TraitType.TEXT)
    event = Event(str(uuid.uuid4()), "identity.user.deleted", now, dict(traits), types, {})
    reason = f"Event <id={event.message_id},event_type={event.event_type}> hits the query <[]>."
    at = now - timedelta(hours=1) + timedelta(milliseconds=number)
    return Transition(alarm, event, State.INSUFFICIENT_DATA, State.ALARM, reason, at)


# --- the bare sending ----------------------------------------------------------------------------


def _by_requests(url: str, bodies: Sequence[bytes], headers: dict[str, str]) -> None:
    with requests.Session() as session:
        for body in bodies:
            session.post(url, data=body, headers=headers, timeout=5).raise_for_status()


def _by_urllib3(url: str, bodies: Sequence[bytes], headers: dict[str, str]) -> None:
    with urllib3.connectionpool.connection_from_url(url, timeout=5) as pool:
        path = urlsplit(url).path
        for body in bodies:
            assert pool.urlopen("POST", path, body, headers, redirect=False).status == 200


def _by_http_client(url: str, bodies: Sequence[bytes], headers: dict[str, str]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    for body in bodies:
        connection.request("POST", parts.path, body, headers)
        assert connection.getresponse().read() == b""
    connection.close()


def _by_socket(url: str, bodies: Sequence[bytes], headers: dict[str, str]) -> None:
    parts = urlsplit(url)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{lines}".encode()
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        for body in bodies:
            connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


_Send = Callable[[str, Sequence[bytes], dict[str, str]], None]
_BARE: dict[str, _Send] = {
    "requests": _by_requests,
    "urllib3's pool": _by_urllib3,
    "http.client": _by_http_client,
    "a raw socket": _by_socket,
}


def _bare(send: _Send, receiver: FastReceiver, count: int) -> Sent:
    body, headers = _request(receiver.url)
    began, cpu = time.monotonic(), time.process_time()
    send(receiver.url, [body] * count, headers)
    return Sent(count / (time.monotonic() - began), (time.process_time() - cpu) / count * 1e6)


def _request(url: str) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of the notifier's deliveries."""
    with tempfile.TemporaryDirectory() as directory:
        database = f"sqlite:///{directory}/one.sqlite"
        fill(database, url, None, 1)
        with SqlStore.open(DatabaseSettings(url=database)) as store:
            (delivery,) = store.claim(1, timedelta(seconds=1), datetime.now(UTC))
    return aodh.body(delivery.notification), aodh.headers(delivery)


if __name__ == "__main__":
    main()
