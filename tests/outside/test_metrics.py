"""What a process counts: by batch, with bounded labels, and without a secret."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from prometheus_client import generate_latest

from pipeline.app import Application
from pipeline.dispatch import TargetEntry
from pipeline.listeners.base import Message
from pipeline.metrics import Metrics
from pipeline.store.routing import Create
from pipeline.tracing import Tracing
from pipeline.worker import Decided

from builders import NOON, a_delivery, an_event, an_occurrence

SOURCE = "rabbitmq localhost/ keystone notifications.info"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"tocsin_{name}", labels)


def events(metrics: Metrics, event_class: str, outcome: str) -> float | None:
    return value(
        metrics, "events_total", listener="rabbitmq", event_class=event_class, outcome=outcome
    )


def test_events_are_counted_by_listener_class_and_outcome(metrics: Metrics) -> None:
    user, image = an_event(event_type="identity.user.deleted"), an_event(event_type="image.update")
    other = an_event(event_type="image.update")
    message = Message(b"")
    decisions = [
        Decided(message, user, alarm_id="a"),
        Decided(message, user, alarm_id="b"),
        Decided(message, None, rejected="not JSON"),
    ]
    metrics.decided(SOURCE, 5, [user, image, other], decisions, NOON, 0.001)
    assert events(metrics, "identity", "matched") == 1
    assert events(metrics, "identity", "passed") is None
    assert events(metrics, "image", "passed") == 2
    assert events(metrics, "", "rejected") == 1
    assert events(metrics, "", "dropped") == 1


def test_message_whose_sender_is_told_counts_as_refused(metrics: Metrics) -> None:
    metrics.refused(SOURCE)
    assert events(metrics, "", "refused") == 1
    assert events(metrics, "", "rejected") is None


def test_event_that_only_a_sink_takes_is_counted_too(metrics: Metrics) -> None:
    published = an_event(event_type="image.update")
    decisions = [Decided(Message(b""), published, publishers=("log://",))]
    metrics.decided(SOURCE, 1, [], decisions, NOON, 0.001)
    assert events(metrics, "image", "passed") == 1
    assert events(metrics, "", "dropped") is None


def test_lag_is_how_old_the_first_event_of_a_batch_is(metrics: Metrics) -> None:
    old, young = an_event(generated=NOON - timedelta(seconds=90)), an_event(generated=NOON)
    metrics.decided(SOURCE, 2, [old, young], [], NOON, 0.001)
    assert value(metrics, "event_lag_seconds_sum", listener="rabbitmq") == 90
    assert value(metrics, "event_lag_seconds_count", listener="rabbitmq") == 1


def test_labels_are_bounded_whatever_comes_in(metrics: Metrics) -> None:
    for number in range(1_000):
        event = an_event(event_type=f"made{number}.up")
        metrics.decided(SOURCE, 1, [event], [], NOON, 0.001)
        metrics.attempted(f"http://host{number}", "delivered", 0.1, 0.2, dead=False)
        metrics.published(f"file:///tmp/{number}", 1, taken=True)
        metrics.count_unconvertible({f"trait{number}": 1}, {})
    series = [s for family in metrics.registry.collect() for s in family.samples]
    assert len(series) < 4_000
    assert events(metrics, "other", "passed") == 1_000 - 64


def test_sink_is_named_without_its_secrets(metrics: Metrics) -> None:
    metrics.published("https://user:secret@host:8080/token?key=s3", 7, taken=False)
    label = {"publisher": "https://host:8080", "outcome": "failed"}
    assert value(metrics, "published_events_total", **label) == 7


def test_attempt_is_counted_by_receiver_and_outcome(metrics: Metrics) -> None:
    metrics.attempted("https://host", "failed", 5.0, 6.0, dead=False)
    metrics.attempted("https://host", "refused", 0.1, 600.0, dead=True)
    metrics.attempted("https://host", "delivered", 0.1, 2.0, dead=False)
    outcomes = ("failed", "refused", "delivered")
    counts = [
        value(metrics, "delivery_attempts_total", receiver="https://host", outcome=outcome)
        for outcome in outcomes
    ]
    assert counts == [1, 1, 1]
    assert value(metrics, "dead_letters_total", receiver="https://host") == 1
    assert value(metrics, "notification_delay_seconds_sum") == 2.0


def test_unconvertible_values_are_counted_once(metrics: Metrics) -> None:
    """events-in 24"""
    metrics.count_unconvertible({"size": 3}, {})
    metrics.count_unconvertible({"size": 5, "due": 1}, {"size": 3})
    assert value(metrics, "unconvertible_traits_total", trait="size") == 5
    assert value(metrics, "unconvertible_traits_total", trait="due") == 1


def test_label_that_no_encoding_knows_does_not_spoil_the_page(metrics: Metrics) -> None:
    """One message with half a surrogate pair would end all metrics of the process for good."""
    metrics.decided(SOURCE, 1, [an_event(event_type="\ud800.update")], None, NOON, 0.001)
    metrics.count_unconvertible({"na\udfffme": 1}, {})
    assert b'event_class="?"' in generate_latest(metrics.registry)


def test_what_cannot_be_counted_stops_nothing(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the disk is full under the files of several workers."""

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    for family in (metrics.events, metrics.publications, metrics.attempts):
        monkeypatch.setattr(family, "labels", full)
    monkeypatch.setattr(metrics.commit_time, "observe", full)
    with structlog.testing.capture_logs() as lines:
        metrics.decided(SOURCE, 1, [an_event()], None, NOON, 0.001)
        metrics.committed(1, 0.1)
        metrics.published("log://", 1, taken=True)
        metrics.attempted("http://h", "failed", 0.1, 1.0, dead=False)
    assert [line["event"] for line in lines] == ["metrics.not_counted"]


def test_template_that_is_passed_over_is_counted_by_its_file(metrics: Metrics) -> None:
    for _ in range(2):
        metrics.template_failed("/etc/tocsin/templates/test-body.j2")

    file = {"template": "/etc/tocsin/templates/test-body.j2"}
    assert value(metrics, "template_failures_total", **file) == 2


def test_notifier_counts_the_templates_that_fail(tmp_path: Path, metrics: Metrics) -> None:
    (tmp_path / "test-body.txt.j2").write_text("{{ gone }}", encoding="utf-8")
    environ = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path}/tocsin.sqlite",
        "TOCSIN_TEMPLATES_DIRECTORY": str(tmp_path),
    }
    application = Application(None, environ)
    try:
        application.telling.notifier(metrics, Tracing())
        assert application.telling.templates.render(an_occurrence("test")).text
    finally:
        application.close()

    file = {"template": f"{tmp_path}/test-body.txt.j2"}
    assert value(metrics, "template_failures_total", **file) == 1


def test_notifier_counts_the_users_that_get_no_mail(tmp_path: Path, metrics: Metrics) -> None:
    """notifications 2."""
    application = Application(None, {"TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path}/tocsin.sqlite"})
    try:
        options = {"server": "mail.invalid", "mailto_user": ["eve"]}
        application.store.change_entries([Create(TargetEntry("mail", "smtp", options))])
        application.telling.notifier(metrics, Tracing())
        application.telling.load()
        delivery = a_delivery("target:mail")
        application.telling.targets.for_action(delivery.action).deliver(delivery)
    finally:
        application.close()

    assert value(metrics, "mail_users_without_address_total", user="eve") == 1
