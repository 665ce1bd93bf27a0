"""`tocsin top` and the looks at the store that it takes, again and again, at a bounded cost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client.exposition import start_http_server
from rich.console import Console

from pipeline.cli.scrape import between, look, nearby
from pipeline.cli.status import status
from pipeline.cli.top import Moment, Process, screen, top
from pipeline.desk.status import backlog_document, recent_document
from pipeline.health import MetricsSettings
from pipeline.metrics import Metrics
from pipeline.notification import Attempt, Delivered, Failed
from pipeline.retry import Done, RetryAt
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event
from cli.application import Tocsin

FIRED = NOON + timedelta(seconds=1)


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), clock=lambda: NOON) as store:
        yield store


def fill(store: SqlStore) -> None:
    """Three alarms fire, one of them twice; one receiver is quick, one fails slowly."""
    quick = an_alarm(name="quick-one", alarm_actions=("http://quick:80/a",))
    slow = an_alarm(name="slow-one", alarm_actions=("https://slow:443/token-1",))
    waits = an_alarm(name="waiting-one", alarm_actions=("https://later/x",))
    transitions = [a_transition(each, at=FIRED) for each in (quick, slow, quick)]
    store.create_many([quick, slow, waits])
    with store.begin() as transaction:
        transaction.save_transitions(transitions)
    results = []
    for delivery in store.claim(10, timedelta(seconds=60), FIRED):
        failed = "slow" in delivery.action
        outcome = Failed("no answer") if failed else Delivered(200)
        attempt = Attempt(delivery.delivery_id, 1, FIRED, 4.0 if failed else 0.02, outcome)
        step = RetryAt(FIRED + timedelta(seconds=5)) if failed else Done()
        results.append((delivery, attempt, step))
    store.finish(results)
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(waits, at=FIRED + timedelta(seconds=1))])


def drawn(moment: Moment, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(screen(moment))
    return console.export_text()


def test_recent_tells_who_fired_and_which_receiver_is_slow(store: SqlStore) -> None:
    fill(store)
    recent = store.recent(NOON - timedelta(minutes=5))
    assert recent.transitions == 4
    assert recent.fired[0].name == "waiting-one"
    times = {fired.name: fired.times for fired in recent.fired}
    assert times == {"waiting-one": 1, "quick-one": 2, "slow-one": 1}
    assert {fired.state for fired in recent.fired} == {"alarm"}
    loads = {load.receiver: load for load in recent.receivers}
    assert loads["https://slow:443"].attempts == {"failed": 1}
    assert loads["https://slow:443"].mean_seconds == 4.0
    assert loads["https://slow:443"].waiting == 1
    assert loads["http://quick:80"].attempts == {"delivered": 2}
    assert loads["https://later"].waiting == 1


def test_what_is_older_is_not_looked_at(store: SqlStore) -> None:
    fill(store)
    recent = store.recent(NOON + timedelta(minutes=5))
    assert recent.transitions == 0
    assert not recent.fired


def test_backlog_counts_what_waits(store: SqlStore) -> None:
    fill(store)
    backlog = store.backlog()
    assert (backlog.pending, backlog.dead, backlog.rejected) == (2, 0, 0)
    assert backlog.oldest_due == FIRED + timedelta(seconds=1)


def test_screen_fits_eighty_columns(store: SqlStore) -> None:
    fill(store)
    now = NOON + timedelta(seconds=90)
    backlog = backlog_document(store.backlog(), now)
    recent = recent_document(store.recent(NOON - timedelta(minutes=5)))
    moment = Moment(now, "sqlite:///x", backlog, recent)
    text = drawn(moment)
    assert max(map(len, text.splitlines())) <= 80
    assert "https://slow:443" in text
    assert "oldest due 88 s" in text
    assert "token-1" not in text


def test_rates_are_those_between_two_looks() -> None:
    metrics = Metrics()
    server, thread = start_http_server(0, "127.0.0.1", metrics.registry)
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        before = look(url)
        metrics.decided("http", 10, [an_event() for _ in range(10)], [], NOON, 0.001)
        metrics.attempted("http://quick", "delivered", 0.1, 0.2, dead=False)
        did = between(before, look(url))
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    assert did.events_per_second == pytest.approx(10 * did.attempts_per_second["delivered"])
    assert did.match_microseconds == pytest.approx(100)
    assert did.lag_seconds == 0


def test_process_that_does_not_answer_is_shown_as_such() -> None:
    page = look("http://127.0.0.1:9")
    assert "no metrics from" in page.problem
    processes = [Process("http://127.0.0.1:9", page, None)]
    text = drawn(Moment(NOON, "x", None, None, processes=processes))
    assert "no answer" in text
    assert page.problem in text, "and why"


def test_what_there_is_none_of_is_said_in_full(store: SqlStore) -> None:
    backlog = backlog_document(store.backlog(), NOON)
    text = drawn(Moment(NOON, "x", backlog, recent_document(store.recent(NOON))))
    assert "no delivery in the last 5 minutes\n" in text
    assert "no transition in the last 5 minutes\n" in text


def test_processes_of_this_machine_are_found_by_their_port(store: SqlStore) -> None:
    metrics = Metrics()
    server, thread = start_http_server(0, "127.0.0.1", metrics.registry)
    tocsin = Tocsin(store, top)
    try:
        tocsin.application.metrics = MetricsSettings(host="0.0.0.0", port=server.server_port)
        found = tocsin("top", "--once", "--interval", "0.2")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    assert f"127.0.0.1:{server.server_port}" in found
    assert "no answer" not in tocsin("top", "--once"), "nobody named it"


def test_the_ports_that_are_looked_at_are_those_of_the_settings() -> None:
    found = nearby(MetricsSettings())
    assert (found[0], found[-1]) == ("http://127.0.0.1:9464", "http://127.0.0.1:9479")
    assert nearby(MetricsSettings(host="::", port=9000)) == ["http://[::1]:9000"]
    assert nearby(MetricsSettings(port=0)) == []


def test_top_once_prints_one_screen(store: SqlStore) -> None:
    tocsin = Tocsin(store, top, status)
    fill(store)
    assert "quick-one" in tocsin("top", "--once")
    assert "transitions_last_5_minutes" in tocsin("status")
    assert "http://HOST:PORT" in tocsin.fails("top", "--once", "--url", "localhost:9464", code=2)
