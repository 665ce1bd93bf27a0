"""A notification starts a Jenkins job with what the event says, and its end is recorded.

Against a server that speaks as Jenkins does (`delivery.jenkins_server`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Delivery, Failed, InProgress, Outcome, Refused
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets.base import Target, Tools
from pipeline.targets.settings import DeliverySettings

from builders import NOON, a_delivery, a_notification, an_event, an_occurrence
from delivery.jenkins_server import API_TOKEN, PASSWORD, USER, Item, Jenkins, Job
from delivery.notifying import Clock, Log, notifier, tell
from delivery.receivers import PATIENCE

TRANSFER = {
    "INITIATOR_ID": "{{ traits.initiator_id }}",
    "USER_ID": "{{ traits.user_id }}",
    "PROJECT_ID": "{{ traits.project_id }}",
}


def _transfer_job(**changes: Any) -> Job:
    return Job("transfer_ownership", dict.fromkeys(TRANSFER, "nobody"), **changes)


@contextmanager
def _target(server: Jenkins, clock: Clock | None = None, **options: Any) -> Iterator[Target]:
    """A target of that server's first job."""
    settings = DeliverySettings(**PATIENCE)
    tools = Tools.by(settings, clock or Clock(), structlog.get_logger())
    given = {"url": server.root, "job": next(iter(server.jobs), "x"), "user": USER,
             "api_token": API_TOKEN, **options}  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    yield targets.from_options("jenkins", given, tools)
    tools.http.close()


def _told(**traits: Any) -> Delivery:
    event = an_event(event_type="identity.user.deleted", **traits)
    reason_data = {"type": "event", "event": event.as_dict()}
    return a_delivery("target:ci", notification=a_notification(reason_data=reason_data))


def _seed() -> Delivery:
    return _told(initiator_id="i-1", user_id="u 2/ü", project_id="p-3")


def _next(delivery: Delivery, outcome: Outcome) -> Delivery:
    """The delivery as the next attempt gets it."""
    return a_delivery(delivery.action, progress=outcome.progress, delivery_id=delivery.delivery_id)


def _triggered(outcome: Outcome) -> Mapping[str, Any]:
    assert isinstance(outcome, InProgress), outcome
    return outcome.progress


# --- trigger -------------------------------------------------------------------------------------


def test_the_job_gets_what_the_event_says() -> None:
    """The seed's scenario."""
    with Jenkins(_transfer_job()) as server, _target(server, parameters=TRANSFER) as target:
        outcome = target.deliver(_seed())

    (item,) = server.items
    assert item.parameters == {"INITIATOR_ID": "i-1", "USER_ID": "u 2/ü", "PROJECT_ID": "p-3"}
    assert outcome == InProgress(
        f"the job transfer_ownership was triggered: queue item {item.number}",
        {
            "job": "transfer_ownership",
            "queue_item": item.number,
            "triggered_at": NOON.isoformat(),
        },
        timedelta(seconds=1),
        201,
    )
    assert server.requests == [
        "GET /job/transfer_ownership/api/json",
        "POST /job/transfer_ownership/buildWithParameters",
    ]


@pytest.mark.parametrize("prefix", ["", "/ci", "/a%20b/ci"])
def test_a_job_stands_in_folders_under_a_prefix(prefix: str) -> None:
    job = Job("ops/über team/clean up")
    with Jenkins(job, prefix=prefix) as server, _target(server) as target:
        first = target.deliver(_seed())
        server.finish(server.items[0])
        second = target.deliver(_next(_seed(), first))

    assert isinstance(second, Delivered)
    assert (second.progress or {})["url"] == (
        f"{server.root}/job/ops/job/%C3%BCber%20team/job/clean%20up/7/"
    )


@pytest.mark.parametrize(
    "written",
    [
        TRANSFER,
        [f"{name}={template}" for name, template in TRANSFER.items()],
        [{"name": name, "value": template} for name, template in TRANSFER.items()],
    ],
)
def test_parameters_are_written_as_people_like(written: Any) -> None:
    with Jenkins(_transfer_job()) as server, _target(server, parameters=written) as target:
        _triggered(target.deliver(_seed()))

    assert set(server.items[0].parameters.values()) == {"i-1", "u 2/ü", "p-3"}


def test_a_job_without_parameters_is_built_plainly() -> None:
    with Jenkins(Job("tidy")) as server, _target(server) as target:
        _triggered(target.deliver(_seed()))

    assert server.requests[-1] == "POST /job/tidy/build"


def test_a_parameterised_job_may_be_left_to_its_defaults() -> None:
    with Jenkins(_transfer_job()) as server, _target(server) as target:
        _triggered(target.deliver(_seed()))

    assert set(server.items[0].parameters.values()) == {"nobody"}


def test_a_password_needs_a_crumb_and_its_session() -> None:
    with Jenkins(Job("tidy")) as server, _target(server, api_token=PASSWORD) as target:
        _triggered(target.deliver(_seed()))
        server.start(server.items[0])
        _triggered(target.deliver(_seed()))
        server.start(server.items[1])
        server.forget_sessions()
        _triggered(target.deliver(_seed()))

    asked = [
        request for request in server.requests if "api/json" not in request or "crumb" in request
    ]
    crumb, post = "GET /crumbIssuer/api/json", "POST /job/tidy/build"
    assert asked == [post, crumb, post, post, post, crumb, post]
    assert len(server.items) == 3


def test_an_api_token_needs_no_crumb() -> None:
    with Jenkins(Job("tidy")) as server, _target(server) as target:
        _triggered(target.deliver(_seed()))

    assert "GET /crumbIssuer/api/json" not in server.requests


def test_a_trigger_token_starts_the_job_and_says_why_it_did() -> None:
    job = Job("tidy", trigger_token="tr1gger t0ken")
    with Jenkins(job) as server:
        server.may_build = False
        with _target(server, trigger_token="tr1gger t0ken") as target:
            delivery = _seed()
            _triggered(target.deliver(delivery))
        with _target(server, trigger_token="another") as target:
            refused = target.deliver(_seed())

    assert server.items[0].cause.startswith("Tocsin: ")
    assert delivery.delivery_id in server.items[0].cause
    assert isinstance(refused, Refused)
    assert "the trigger_token given here is not that of the job 'tidy'" in refused.reason
    assert all("t0ken" not in callback.path for callback in server.callbacks)


def test_one_that_waits_already_with_the_same_parameters_is_followed() -> None:
    with Jenkins(_transfer_job()) as server, _target(server, parameters=TRANSFER) as target:
        first, second = target.deliver(_seed()), target.deliver(_seed())

    assert len(server.items) == 1
    assert _triggered(first)["queue_item"] == _triggered(second)["queue_item"]
    assert isinstance(second, InProgress)
    assert "which waited with the same parameters already" in second.note


# --- what is wrong, and how to mend it -----------------------------------------------------------


def test_a_parameter_without_its_trait_triggers_nothing() -> None:
    with Jenkins(_transfer_job()) as server, _target(server, parameters=TRANSFER) as target:
        outcome = target.deliver(_told(initiator_id="i-1", project_id="p-3"))
        of_no_event = target.deliver(a_delivery(notification=an_occurrence()))

    assert isinstance(outcome, Refused)
    assert "parameter USER_ID" in outcome.reason
    assert "user_id" in outcome.reason
    assert isinstance(of_no_event, Refused)
    assert server.requests == []


@pytest.mark.parametrize(
    ("job", "parameters", "said"),
    [
        (
            Job("tidy"),
            {"A": "1", "B": "2"},
            "not parameterised, but A, B would be given. Add them",
        ),
        (
            _transfer_job(),
            {**TRANSFER, "USR_ID": "1"},
            "has no parameter USR_ID, and Jenkins would drop it. It has INITIATOR_ID, USER_ID,"
            " PROJECT_ID. Did you mean 'USER_ID'?",
        ),
        (
            Job("deploy", {"WHERE": "test"}, choices={"WHERE": ["test", "live"]}),
            {"WHERE": "moon"},
            "parameter WHERE of the job 'deploy' cannot be 'moon': one of test, live",
        ),
    ],
)
def test_parameters_that_do_not_fit_the_job_trigger_nothing(
    job: Job, parameters: Mapping[str, str], said: str
) -> None:
    with Jenkins(job) as server, _target(server, parameters=parameters) as target:
        outcome = target.deliver(_seed())

    assert isinstance(outcome, Refused)
    assert said in outcome.reason
    assert not any(request.startswith("POST") for request in server.requests)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"job": "nope"}, "cannot read the job 'nope': answered 404 Not Found. Check its name"),
        ({"job": "ops"}, "'ops' is no job that can be built: a folder?"),
        ({"api_token": "wrong"}, "User 'tocsin' and the API token do not fit: make a new token"),
        ({"user": None, "api_token": None}, "Give everybody (no user is given) the permissions"),
    ],
)
def test_what_will_never_work_says_how_to_mend_it(options: Mapping[str, Any], said: str) -> None:
    with Jenkins(Job("ops/tidy"), crumbs=False) as server, _target(server, **options) as target:
        outcome = target.deliver(_seed())

    assert isinstance(outcome, Refused)
    assert said in outcome.reason


def test_who_may_not_see_or_build_the_job_is_told_what_is_missing() -> None:
    with Jenkins(Job("tidy")) as server, _target(server) as target:
        server.may_build = False
        not_built = target.deliver(_seed())
        server.may_read = False
        not_seen = target.deliver(_seed())

    assert isinstance(not_built, Refused)
    assert "cannot trigger the job 'tidy': answered 403" in not_built.reason
    assert "Give user 'tocsin' the permissions" in not_built.reason
    assert isinstance(not_seen, Refused)
    assert "user 'tocsin' may not see it" in not_seen.reason


def test_what_is_no_jenkins_is_asked_about() -> None:
    with Jenkins(prefix="/ci") as server:
        elsewhere = server.root.removesuffix("/ci")
        with _target(server, url=f"{elsewhere}/wrong", job="tidy") as target:
            wrong_prefix = target.deliver(_seed())

    assert isinstance(wrong_prefix, Refused)
    assert "answered 404" in wrong_prefix.reason


def test_a_job_that_is_disabled_may_be_enabled_later() -> None:
    with Jenkins(Job("tidy", buildable=False)) as server, _target(server) as target:
        outcome = target.deliver(_seed())

    assert outcome == Failed("the job 'tidy' is disabled. Enable it in Jenkins")


def test_a_job_that_a_plugin_keeps_from_the_queue_is_tried_again() -> None:
    with Jenkins(Job("ops/tidy", vetoed=True)) as server, _target(server) as target:
        outcome = target.deliver(_seed())

    assert isinstance(outcome, Failed)
    assert "did not queue the job 'ops/tidy'" in outcome.reason


# --- follow --------------------------------------------------------------------------------------


class Followed:
    """A job that was triggered, its item, and the attempts that look."""

    def __init__(self, server: Jenkins, target: Target, clock: Clock) -> None:
        self.server, self._target, self.clock = server, target, clock
        self.delivery = _seed()
        self.outcome: Outcome = target.deliver(self.delivery)
        self.item: Item = server.items[-1]

    def look(self, **later: float) -> Outcome:
        self.clock.step(**later)
        self.delivery = _next(self.delivery, self.outcome)
        self.outcome = self._target.deliver(self.delivery)
        return self.outcome

    @property
    def progress(self) -> Mapping[str, Any]:
        return self.outcome.progress or {}


@contextmanager
def _followed(**options: Any) -> Iterator[Followed]:
    clock = Clock()
    with Jenkins(Job("ops/tidy")) as server, _target(server, clock, **options) as target:
        yield Followed(server, target, clock)


def test_a_build_is_followed_from_the_queue_to_its_result() -> None:
    with _followed() as job:
        waits = job.look(seconds=1)
        job.item.state, job.item.why = "blocked", "Build #6 is already in progress"
        blocked = job.look(seconds=39)
        job.server.start(job.item)
        runs = job.look(seconds=40)
        job.server.finish(job.item)
        ended = job.look(minutes=30)

    assert isinstance(waits, InProgress)
    assert waits.note == "queue item 11 is waiting: In the quiet period. Expires in 4.8 sec"
    assert isinstance(blocked, InProgress)
    assert blocked.note == "queue item 11 is blocked: Build #6 is already in progress"
    assert isinstance(runs, InProgress)
    assert runs.note == "build 7 of ops/tidy runs"
    assert [one.look_again_in.total_seconds() for one in (waits, blocked, runs)] == [1, 10, 20]
    assert ended == Delivered(
        200,
        note="build 7 of ops/tidy ended as SUCCESS",
        progress={
            "job": "ops/tidy",
            "queue_item": 11,
            "triggered_at": NOON.isoformat(),
            "state": "ended",
            "build": 7,
            "url": f"{job.server.root}/job/ops/job/tidy/7/",
            "result": "SUCCESS",
        },
    )
    assert sum(request.startswith("POST") for request in job.server.requests) == 1


def test_looks_become_seldom_but_not_too_seldom() -> None:
    with _followed() as job:
        job.server.start(job.item)
        long_after = job.look(hours=20)

    assert isinstance(long_after, InProgress)
    assert long_after.look_again_in == timedelta(minutes=1)


def test_a_look_at_what_stands_still_leaves_its_progress_as_it_is() -> None:
    """So that it is not recorded again (`InProgress`), whatever Jenkins says meanwhile."""
    with _followed() as job:
        first = job.look(seconds=1)
        job.item.why = "In the quiet period. Expires in 3.1 sec"
        second = job.look(seconds=1)

    assert first.progress == second.progress


def test_nobody_need_wait_for_the_build() -> None:
    with _followed(wait="queued") as queued:
        assert isinstance(queued.outcome, Delivered)
        assert queued.progress["queue_item"] == queued.item.number
    with _followed(wait="started") as started:
        assert isinstance(started.look(), InProgress)
        started.server.start(started.item)
        outcome = started.look()

    assert isinstance(outcome, Delivered)
    assert (outcome.note, started.progress["build"]) == ("build 7 of ops/tidy has started", 7)


@pytest.mark.parametrize(
    ("result", "failed_build", "expected"),
    [
        ("SUCCESS", "retry", Delivered),
        ("UNSTABLE", "dead-letter", Delivered),
        ("FAILURE", "delivered", Delivered),
        ("ABORTED", "delivered", Delivered),
        ("FAILURE", "dead-letter", Refused),
        ("NOT_BUILT", "dead-letter", Refused),
        ("FAILURE", "retry", Failed),
        ("ABORTED", "retry", Failed),
    ],
)
def test_what_a_failed_build_counts_as_is_for_people_to_say(
    result: str, failed_build: str, expected: type[Outcome]
) -> None:
    with _followed(failed_build=failed_build) as job:
        job.server.finish(job.item, result)
        outcome = job.look(seconds=5)

    assert isinstance(outcome, expected)
    assert job.progress["result"] == result
    assert f"build 7 of ops/tidy ended as {result}" in repr(outcome)


def test_a_retry_triggers_the_job_again() -> None:
    with _followed(failed_build="retry") as job:
        job.server.finish(job.item, "FAILURE")
        job.look(seconds=5)
        again = job.look(seconds=5)

    assert isinstance(again, InProgress)
    assert len(job.server.items) == 2
    assert "result" not in job.progress


@pytest.mark.parametrize(
    ("failed_build", "expected"),
    [("delivered", Delivered), ("dead-letter", Refused), ("retry", Failed)],
)
def test_an_item_that_was_cancelled_counts_as_a_failed_build(
    failed_build: str, expected: type[Outcome]
) -> None:
    with _followed(failed_build=failed_build) as job:
        job.server.cancel(job.item)
        outcome = job.look(seconds=5)

    assert isinstance(outcome, expected)
    assert job.progress["result"] == "CANCELLED"
    assert "queue item 11 was cancelled before it ran" in repr(outcome)


def test_a_forgotten_queue_item_is_found_by_its_build() -> None:
    """Jenkins forgets it five minutes after it left the queue."""
    with _followed() as job:
        job.server.finish(job.item)
        job.server.forget(job.item)
        outcome = job.look(minutes=10)

    assert isinstance(outcome, Delivered)
    assert (job.progress["build"], job.progress["result"]) == (7, "SUCCESS")


@pytest.mark.parametrize(
    ("failed_build", "expected"),
    [("delivered", Delivered), ("dead-letter", Refused), ("retry", Refused)],
)
@pytest.mark.parametrize("removed", ["queue item", "build", "job"])
def test_what_cannot_be_found_out_any_more_is_never_triggered_again(
    removed: str, failed_build: str, expected: type[Outcome]
) -> None:
    with _followed(failed_build=failed_build) as job:
        job.server.start(job.item)
        if removed == "build":
            job.look()
        job.server.forget(job.item)
        job.server.remove(job.item)
        if removed == "job":
            job.server.jobs.clear()
        outcome = job.look(minutes=1)

    assert isinstance(outcome, expected)
    assert job.progress["result"] == "UNKNOWN"


def test_a_jenkins_that_is_away_is_asked_again() -> None:
    with _followed() as job:
        job.server.start(job.item)
        job.look(seconds=1)
    gone = job.look(seconds=7)

    assert isinstance(gone, InProgress)
    assert gone.note.startswith("triggered, but Jenkins cannot be asked: cannot connect to")
    assert gone.progress["build"] == 7


def test_a_token_that_is_void_by_now_ends_the_looks() -> None:
    with _followed() as job:
        job.server.may_read = False
        job.server.forget(job.item)
        outcome = job.look(minutes=1)

    assert isinstance(outcome, Delivered)


def test_a_build_that_takes_too_long_is_followed_no_longer() -> None:
    with _followed(follow_seconds=60) as job:
        job.server.start(job.item)
        in_time = job.look(seconds=59)
        too_long = job.look(seconds=1)

    assert isinstance(in_time, InProgress)
    assert isinstance(too_long, Delivered)
    assert "followed for 60 s (follow_seconds) and no longer" in too_long.note


def test_what_jenkins_says_is_shown_without_secrets_and_control_characters() -> None:
    with _followed() as job:
        job.item.why = f"Waiting for \x1b[31m{API_TOKEN}\n{'x' * 5_000}"
        outcome = job.look(seconds=1)
        job.server.start(job.item)
        job.item.result = "\x00" + "R" * 5_000
        ended = job.look(seconds=1)

    assert isinstance(outcome, InProgress)
    assert outcome.note.startswith("queue item 11 is waiting: Waiting for �[31m*** xxx")
    assert API_TOKEN[:8] not in repr((outcome, ended))
    assert len(outcome.note) < 300
    assert len(job.progress["result"]) <= 200


# --- through the notifier ------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), clock=clock) as store:
        yield store


def _action(server: Jenkins) -> str:
    return server.root.replace("http://", f"jenkins://{USER}:{API_TOKEN}@") + "/ops/tidy"


def test_a_delivery_is_pending_while_the_build_runs_and_tells_of_it(
    store: SqlStore, clock: Clock
) -> None:
    """A look that finds nothing new leaves no attempt, and none uses up a retry."""
    with Jenkins(Job("ops/tidy")) as server:
        tell(store, _action(server))
        notify = notifier(store, clock=clock, retry_delays_seconds=())
        assert notify.run_once() == 1
        server.start(server.items[0])
        for _ in range(10):
            clock.step(minutes=1)
            assert notify.run_once() == 1
        (pending,) = store.deliveries()
        server.finish(server.items[0], "UNSTABLE")
        clock.step(minutes=1)
        assert notify.run_once() == 1
    (ended,) = store.deliveries()
    _, told, attempts = store.delivery(ended.delivery_id)

    assert (pending.state, pending.attempts) == ("pending", 2)
    assert (ended.state, ended.attempts) == ("delivered", 3)
    assert (told.progress or {})["result"] == "UNSTABLE"
    assert attempts[-1].outcome == Delivered(200, note="build 7 of ops/tidy ended as UNSTABLE")


def test_a_notifier_that_dies_after_triggering_triggers_again(
    store: SqlStore, clock: Clock
) -> None:
    """delivery 3: at least once."""
    lease = timedelta(minutes=2)
    with Jenkins(Job("ops/tidy")) as server:
        tell(store, _action(server))
        tools = Tools.by(DeliverySettings(**PATIENCE), clock, Log())
        (claimed,) = store.claim(1, lease, clock.now)
        _triggered(targets.Targets(tools).for_action(claimed.action).deliver(claimed))
        server.start(server.items[0])
        clock.step(minutes=2)
        notifier(store, clock=clock).run_once()

    assert len(server.items) == 2


def test_a_dead_letter_of_a_failed_build_is_triggered_again_when_it_is_replayed(
    store: SqlStore, clock: Clock
) -> None:
    with Jenkins(Job("ops/tidy")) as server:
        tell(store, f"{_action(server)}?tocsin-failed-build=dead-letter")
        notify = notifier(store, clock=clock)
        notify.run_once()
        server.finish(server.items[0], "FAILURE")
        clock.step(seconds=5)
        notify.run_once()
        (dead,) = store.deliveries(state="dead")
        store.replay_dead(clock.now)
        notify.run_once()

    assert dead.last_error == (
        "refused: build 7 of ops/tidy ended as FAILURE. Replaying it triggers the job again"
    )
    assert len(server.items) == 2


# --- actions -------------------------------------------------------------------------------------


def test_an_action_stands_for_a_job() -> None:
    job = Job("ops/transfer", {"USER_ID": "", "WHO": ""})
    with Jenkins(job, prefix="/ci") as server:
        root = server.root.replace("http://", f"jenkins://{USER}:{API_TOKEN}@")
        query = "USER_ID={{ traits.user_id }}&WHO=%2B%7B%7Btraits.initiator_id%7D%7D"
        action = f"{root}/job/ops/job/transfer?{query}"
        tools = Tools.by(DeliverySettings(**PATIENCE), Clock(), structlog.get_logger())
        _triggered(targets.from_action(action, tools).deliver(_seed()))
        tools.http.close()

    assert server.items[0].parameters == {"USER_ID": "u 2/ü", "WHO": "+i-1"}


@pytest.mark.parametrize(
    ("action", "url", "job"),
    [
        ("jenkins://u:t@ci/tidy", "http://ci", "tidy"),
        ("jenkinss://u:t@ci:8443/ops/a%20b/tidy", "https://ci:8443", "ops/a b/tidy"),
        ("JENKINSS://u:t@[::1]/tidy/", "https://[::1]", "tidy"),
        ("jenkins://u:t@ci/job/ops/job/tidy/", "http://ci", "ops/tidy"),
        ("jenkins://u:t@ci/x/y/job/ops/job/tidy/buildWithParameters", "http://ci/x/y", "ops/tidy"),
        ("jenkins://u:t@ci/ci/view/all/job/tidy/build", "http://ci/ci", "tidy"),
        ("jenkins://u:t@ci/job/job/job/build", "http://ci", "job/build"),
    ],
)
def test_the_path_of_an_action_is_folders_or_jenkins_own(action: str, url: str, job: str) -> None:
    options = targets.of_type("jenkins").options_of(action)

    assert options == {
        "url": url,
        "job": job,
        "user": "u",
        "api_token": "t",
        "parameters": {},
    }


def test_the_query_of_an_action_is_parameters_and_options() -> None:
    options = targets.of_type("jenkins").options_of(
        "jenkins://ci/tidy?A=&B={{ 1 }}&token=s3cret&tocsin-wait=started"
        "&tocsin-failed-build=retry&tocsin-follow-seconds=60&tocsin-verify=0"
    )

    assert options == {
        "url": "http://ci",
        "job": "tidy",
        "parameters": {"A": "", "B": "{{ 1 }}"},
        "trigger_token": "s3cret",
        "wait": "started",
        "failed_build": "retry",
        "follow_seconds": "60",
        "verify": "0",
    }
    targets.check_action("jenkins://ci/tidy?tocsin-verify=0&tocsin-follow-seconds=60")


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("jenkins://u:hunter22@/tidy", "names no host"),
        ("jenkins://u:hunter22@ci/", "names no job"),
        ("jenkins://u:hunter22@ci:x/tidy", "not a URL"),
        ("jenkins://hunter22@ci/tidy", "go together"),
        ("jenkins://u:hunter22@ci/job/a/b/tidy", "not a job's"),
        ("jenkins://u:hunter22@ci/tidy?tocsin-wiat=no", "Unknown option tocsin-wiat"),
        ("jenkins://u:hunter22@ci/tidy?A=1&A=2", "A stands there twice"),
        ("jenkins://u:hunter22@ci/tidy?A={{ hunter", "parameters.A: unexpected end"),
        ("jenkins://u:hunter22@ci/tidy?tocsin-wait=forever", "wait: Must be one of"),
        ("jenkins://u:hunter22@ci/tidy?tocsin-follow-seconds=1e9", "follow_seconds: "),
    ],
)
def test_an_action_that_stands_for_no_job_is_refused(action: str, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        targets.check_action(action)

    assert said in str(caught.value)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "https://u:hunter22@ci"}, "url: Give the address of Jenkins alone"),
        ({"url": "https://ci/?tree=x"}, "url: Give the address of Jenkins alone"),
        ({"user": "u"}, "api_token: User and API token go together"),
        ({"job": "/tidy"}, "job: "),
        ({"job": "a//b"}, "job: "),
        ({"parameters": {"A": "{% if %}"}}, "parameters.A: "),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Mapping[str, Any], said: str) -> None:
    tools = Tools.by(DeliverySettings(), Clock(), structlog.get_logger())
    with pytest.raises(InvalidValue) as caught:
        targets.from_options("jenkins", {"url": "https://ci", "job": "tidy", **options}, tools)

    assert said in str(caught.value)
    assert "hunter22" not in str(caught.value)
