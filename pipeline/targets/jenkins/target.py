"""The target: trigger a job with parameters, then look until its build has ended.

One attempt triggers; those after it look, each with a request or two, so that no thread waits for
a build. Before it triggers, it reads what parameters the job takes: Jenkins silently drops one
that the job does not know, and would run without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate, validates_schema

from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Delivery, Failed, Outcome, Progress, Refused
from pipeline.targets import options
from pipeline.targets.answer import Answer
from pipeline.targets.base import Tools
from pipeline.targets.jenkins import address, replies, verdict
from pipeline.targets.jenkins.fit import unfit
from pipeline.targets.jenkins.replies import Job
from pipeline.targets.jenkins.server import Bounds, Server
from pipeline.targets.jenkins.verdict import FailedBuild, Found, Policy, Wait
from pipeline.targets.options import HttpSchema
from pipeline.targets.way import way_of
from pipeline.tracing import trace_headers

_LONGEST_FOLLOWED_SECONDS = 6 * 86_400
_LONGEST_CAUSE = 200


class JenkinsSchema(HttpSchema):
    """The options of a Jenkins job."""

    url = options.url(required=True)
    job = options.text(required=True, validate=validate.Regexp(r"[^/]+(/[^/]+)*\Z"))
    user = options.text()
    api_token = options.secret()
    trigger_token = options.secret()
    parameters = options.templates()
    wait = fields.Enum(Wait, by_value=True, load_default=Wait.FINISHED)
    failed_build = fields.Enum(FailedBuild, by_value=True, load_default=FailedBuild.DELIVERED)
    follow_seconds = fields.Float(
        load_default=86_400.0, validate=validate.Range(1, _LONGEST_FOLLOWED_SECONDS)
    )

    @validates_schema
    def _check(self, data: Mapping[str, Any], **_: Any) -> None:
        problems: dict[str, list[str]] = {}
        parts = urlsplit(data["url"])
        if "@" in parts.netloc or parts.query or parts.fragment:
            problems["url"] = ["Give the address of Jenkins alone; user and api_token by those."]
        if bool(data.get("user")) != bool(data.get("api_token")):
            problems["api_token"] = ["User and API token go together."]
        if problems:
            raise ValidationError(problems)


class JenkinsTarget:
    """Starts one job of one Jenkins, and says what became of it."""

    schema = JenkinsSchema
    heeds_guard = True

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._job, self._tools = options["job"], tools
        self._way = way_of(self.schema, options)
        self._templates: Mapping[str, str] = options["parameters"]
        self._trigger_token = options.get("trigger_token", "")
        follow = timedelta(seconds=options["follow_seconds"])
        self._policy = Policy(options["wait"], options["failed_build"], follow)
        secrets = (options.get("api_token", ""), self._trigger_token)
        self._server = Server(
            options["url"],
            options.get("user", ""),
            options.get("api_token", ""),
            secrets,
            self._way,
            tools.http,
            tools.clock,
        )

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """See `address`."""
        return address.options_of(action)

    def deliver(self, delivery: Delivery) -> Outcome:
        """Trigger the job; or, if it was, look what has become of it."""
        longest = min(self._tools.settings.longest_attempt_seconds, self._way.timeout_seconds)
        by = Bounds(monotonic() + longest, delivery.guarded)
        if (progress := delivery.progress) and verdict.is_under_way(progress):
            return self._look(progress, by)
        return self._trigger(delivery, by)

    def close(self) -> None:
        """Nothing of its own to let go of."""

    # --- trigger -----------------------------------------------------------------------------

    def _trigger(self, delivery: Delivery, by: Bounds) -> Outcome:
        try:
            given = self._parameters(delivery)
        except InvalidValue as error:
            return Refused(str(error))
        path, what = address.job_path(self._job), f"read the job {self._job!r}"
        answer = self._server.get(path, replies.JOB_TREE, by)
        if not isinstance(answer, Answer):
            return answer
        if answer.status != 200:
            return self._server.trouble(answer, what)
        if (job := replies.job(answer.body)) is None:
            if "x-jenkins" in answer.headers:
                return Refused(f"{self._job!r} is no job that can be built: a folder?", 200)
            return self._server.trouble(answer, what)
        return unfit(self._job, job, given) or self._post(job, given, delivery, by)

    def _parameters(self, delivery: Delivery) -> Mapping[str, str]:
        """The parameters, filled in. Raises `InvalidValue` where something is missing."""
        filled = {}
        for name, template in self._templates.items():
            try:
                filled[name] = self._tools.templates.expand(
                    template, delivery.notification, {}, strict=True
                )
            except InvalidValue as error:
                raise InvalidValue(
                    f"job not triggered, parameter {name}: {error}. Correct the template, or give"
                    " the event that trait in event_definitions.yaml"
                ) from error
        return filled

    def _post(self, job: Job, given: Mapping[str, str], delivery: Delivery, by: Bounds) -> Outcome:
        form = dict(given)
        if self._trigger_token:
            title = self._tools.templates.render(delivery.notification).title
            cause = f"Tocsin: {title} (delivery {delivery.delivery_id})"
            form |= {"token": self._trigger_token, "cause": cause[:_LONGEST_CAUSE]}
        call = "build" if job.parameters is None else "buildWithParameters"
        headers = {"webhook-id": delivery.delivery_id, **trace_headers(delivery.trace)}
        path = address.job_path(self._job)
        answer = self._server.post(f"{path}/{call}", form, headers, by)
        return self._triggered(answer) if isinstance(answer, Answer) else answer

    def _triggered(self, answer: Answer) -> Outcome:
        """What Jenkins made of it: 201 with the queue item, or 303 where an equal one waits."""
        item = replies.item_in(answer.headers.get("location", ""))
        if item is None or answer.status not in (201, 303):
            return self._not_queued(answer)
        progress = verdict.begun(self._job, item, self._tools.clock())
        joined = "" if answer.status == 201 else ", which waited with the same parameters already"
        said = f"the job {self._job} was triggered: queue item {item}{joined}"
        if self._policy.wait is Wait.QUEUED:
            return Delivered(answer.status, note=said, progress=progress)
        return verdict.first_look(said, progress, answer.status)

    def _not_queued(self, answer: Answer) -> Outcome:
        if answer.status in (200, 201):
            note = "triggered; Jenkins, or a proxy before it, did not say the queue item"
            return Delivered(answer.status, answer.head, note)
        back = urlsplit(answer.headers.get("location", "")).path.rstrip("/")
        if answer.status in (302, 303) and back.endswith(address.job_path(self._job)):
            return Failed(
                f"Jenkins did not queue the job {self._job!r}: a plugin there decided against it",
                answer.status,
            )
        return self._server.trouble(answer, f"trigger the job {self._job!r}")

    # --- look --------------------------------------------------------------------------------

    def _look(self, progress: Progress, by: Bounds) -> Outcome:
        status: int | None = None
        found: Found | int = self._queue_item(progress, by) if "build" not in progress else 0
        if isinstance(found, int):
            if found:
                progress = {**progress, "build": found, "url": self._url(progress, found)}
            found, status = self._build(progress, by)
        return verdict.outcome(found, progress, self._policy, self._tools.clock(), status)

    def _url(self, progress: Progress, build: int) -> str:
        return f"{self._server.url}{address.job_path(progress['job'])}/{build}/"

    def _queue_item(self, progress: Progress, by: Bounds) -> Found | int:
        """What has become of the queue item; the number of the build that it became."""
        path = f"/queue/item/{progress['queue_item']}"
        answer = self._server.get(path, replies.QUEUE_TREE, by)
        if isinstance(answer, Answer) and answer.status == 404:
            return self._forgotten(progress, by)
        if isinstance(answer, Answer) and answer.status == 200:
            item = replies.queue_item(answer.body)
            if item is None:
                return verdict.Unheard("it answered 200, but not as Jenkins does")
            if item.cancelled:
                return verdict.Ended(verdict.CANCELLED)
            return verdict.Queued(item) if item.build is None else item.build
        return self._unheard(answer)

    def _forgotten(self, progress: Progress, by: Bounds) -> Found | int:
        """Jenkins forgets an item five minutes after it left the queue; its build remembers it."""
        path = address.job_path(progress["job"])
        answer = self._server.get(path, replies.BUILDS_TREE, by)
        if not isinstance(answer, Answer) or answer.status not in (200, 404):
            return self._unheard(answer)
        item = progress["queue_item"]
        number = replies.build_of(answer.body, item) if answer.status == 200 else None
        if number is None:
            return verdict.Lost(f"Jenkins knows neither queue item {item} nor a build of it now")
        return number

    def _build(self, progress: Progress, by: Bounds) -> tuple[Found, int | None]:
        path = f"{address.job_path(progress['job'])}/{progress['build']}"
        answer = self._server.get(path, replies.BUILD_TREE, by)
        status = answer.status
        if isinstance(answer, Answer) and status == 404:
            return verdict.Lost(f"Jenkins has removed build {progress['build']}"), status
        build = replies.build(answer.body) if isinstance(answer, Answer) else None
        if isinstance(answer, Answer) and build is None and status == 200:
            return verdict.Unheard("it answered 200, but not as Jenkins does"), status
        if build is None or status != 200:
            return self._unheard(answer), status
        return (verdict.Ended(build.result) if build.result else verdict.Running()), status

    def _unheard(self, answer: Answer | Outcome) -> Found:
        outcome = (
            self._server.trouble(answer, "look at the build")
            if isinstance(answer, Answer)
            else answer
        )
        if isinstance(outcome, Failed):
            return verdict.Unheard(outcome.reason)
        reason = outcome.reason if isinstance(outcome, Refused) else ""
        return verdict.Lost(f"triggered, but what became of it is not known: {reason}")
