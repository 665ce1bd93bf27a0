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
from pipeline.notification import Delivered, Delivery, Failed, Outcome, Refused
from pipeline.targets import options
from pipeline.targets.answer import Answer
from pipeline.targets.base import Tools
from pipeline.targets.http import without
from pipeline.targets.jenkins import address, replies, verdict
from pipeline.targets.jenkins.fit import unfit
from pipeline.targets.jenkins.look import look
from pipeline.targets.jenkins.replies import Job
from pipeline.targets.jenkins.server import Bounds, Server
from pipeline.targets.jenkins.verdict import FailedBuild, Policy, Wait
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
        """Trigger the job; or, if it was, look what has become of it. No secret is in what comes
        of it, though Jenkins should repeat one."""
        try:
            outcome = self._outcome(delivery)
        except InvalidValue as error:
            outcome = Refused(str(error))
        return without(self._way.secrets, outcome)

    def close(self) -> None:
        """Nothing of its own to let go of."""

    def _outcome(self, delivery: Delivery) -> Outcome:
        longest = min(self._tools.settings.longest_attempt_seconds, self._way.timeout_seconds)
        by = Bounds(monotonic() + longest, delivery.guarded)
        if (progress := delivery.progress) and verdict.is_under_way(progress):
            seen = look(self._server, progress, by)
            now = self._tools.clock()
            return verdict.outcome(seen.found, seen.progress, self._policy, now, seen.status)
        return self._trigger(delivery, by)

    # --- trigger -----------------------------------------------------------------------------

    def _trigger(self, delivery: Delivery, by: Bounds) -> Outcome:
        given = self._parameters(delivery)
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
                said = str(error).rstrip(".")
                raise InvalidValue(
                    f"job not triggered, parameter {name}: {said}. Correct the template, or give"
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
        if answer.status == 403 and self._trigger_token and b"token" in answer.body.lower():
            said = f"the trigger_token given here is not that of the job {self._job!r}"
            mend = "copy it from the job's configuration, “Trigger builds remotely”"
            return Refused(f"{said}: {mend}", answer.status, answer.head)
        back = urlsplit(answer.headers.get("location", "")).path.rstrip("/")
        if answer.status in (302, 303) and back.endswith(address.job_path(self._job)):
            return Failed(
                f"Jenkins did not queue the job {self._job!r}: a plugin there decided against it",
                answer.status,
            )
        return self._server.trouble(answer, f"trigger the job {self._job!r}")
