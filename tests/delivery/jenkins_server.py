"""A server that speaks as Jenkins does, where none can be installed.

Built from the Remote Access API as Jenkins documents it, and from how its core answers
(`ParameterizedJobMixIn`, `ParametersDefinitionProperty`, `BuildAuthorizationToken` and
`CrumbFilter`):

- A POST with a valid API token needs no crumb (since 2.96). Any other needs one, good only with
  the session that it was issued in (since 2.176.2): else 403 "No valid crumb was included in the
  request".
- `build` and `buildWithParameters` answer 201 with the queue item in `Location`; 303 with the item
  that waits already with equal parameters (JENKINS-66105); and 302 to the job where a plugin
  decides against queueing.
- `build` of a parameterised job without a form is 400 "Nothing is submitted";
  `buildWithParameters` of one that is not is 500 "This build is not parameterized!"; a parameter
  that the job does not know is dropped, one that is not given has its default, a value that is no
  choice is 500.
- A job that is disabled is 409; one that does not exist, or may not be seen, is 404; a user who
  may not build is 403, wrong credentials are 401, a wrong trigger token is 403.
- A queue item is a waiting, blocked or buildable one, and when it has left the queue has an
  `executable` or is `cancelled`; five minutes later it is 404. Builds know their `queueId`.
- `?tree=a,b[c]{0,5}` gives no more than that of what there is.

`python-jenkins` finds its way around it (`test_jenkins_server.py`). Time passes by its methods
alone.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from pipeline.receiver import Callback, Receiver, Reply

USER, API_TOKEN, PASSWORD = "tocsin", "11f0a2cafe7d6b5e4c3a29f8e7d6c5b4a3", "correct horse battery"
_QUEUE = "hudson.model.Queue$"


@dataclass
class Job:
    """A job by its full name. `parameters` are by name with their defaults, None for none."""

    name: str
    parameters: dict[str, str] | None = None
    choices: dict[str, Sequence[str]] = field(default_factory=dict)
    trigger_token: str = ""
    buildable: bool = True
    vetoed: bool = False

    def definitions(self) -> list[Mapping[str, Any]]:
        return [
            {
                "_class": "hudson.model.StringParameterDefinition",
                "name": name,
                **({"choices": list(self.choices[name])} if name in self.choices else {}),
            }
            for name in self.parameters or ()
        ]


@dataclass
class Item:
    """An item of the queue, and the build that it became."""

    number: int
    job: Job
    parameters: Mapping[str, str]
    cause: str = ""
    state: str = "waiting"
    why: str = "In the quiet period. Expires in 4.8 sec"
    build: int | None = None
    result: str | None = None
    forgotten: bool = False

    def as_dict(self) -> Mapping[str, Any]:
        said: dict[str, Any] = {
            "_class": f"{_QUEUE}{'LeftItem' if self.has_left else 'WaitingItem'}",
            "id": self.number,
            "blocked": self.state == "blocked",
            "buildable": self.state in ("buildable", "stuck"),
            "stuck": self.state == "stuck",
            "why": None if self.has_left else self.why,
        }
        if self.has_left:
            executable = None if self.build is None else {"number": self.build}
            said |= {"cancelled": self.state == "cancelled", "executable": executable}
        return said

    @property
    def has_left(self) -> bool:
        return self.build is not None or self.state == "cancelled"


class Jenkins:
    """Serves on loopback within a `with` block, under `prefix`.

    `crumbs` is whether it protects against forged requests. What it was told is in `items`.
    """

    def __init__(self, *jobs: Job, prefix: str = "", crumbs: bool = True) -> None:
        self.jobs = {job.name: job for job in jobs}
        self.crumbs, self._prefix = crumbs, prefix
        self.may_read = self.may_build = True
        self.items: list[Item] = []
        self.builds: dict[str, list[Item]] = {}
        self._numbers, self._sessions = count(11), count(1)
        self._valid: dict[str, str] = {}
        self._lock = threading.Lock()
        self._receiver = Receiver(answer=self._answer)
        self.root = f"{self._receiver.url}{prefix}"

    def __enter__(self) -> Jenkins:
        self._receiver.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._receiver.__exit__(*error)

    @property
    def requests(self) -> list[str]:
        """What was asked, in order: `POST /job/x/build`; without what is read of it."""
        return [f"{c.method} {c.path.partition('?')[0]}" for c in self._receiver.callbacks]

    @property
    def callbacks(self) -> list[Callback]:
        return list(self._receiver.callbacks)

    # --- what happens in it --------------------------------------------------------------------

    def start(self, item: Item) -> None:
        """An executor takes it."""
        built = self.builds.setdefault(item.job.name, [])
        built.append(item)
        item.build = len(built) + 6

    def finish(self, item: Item, result: str = "SUCCESS") -> None:
        if item.build is None:
            self.start(item)
        item.result = result

    def cancel(self, item: Item) -> None:
        item.state = "cancelled"

    def forget(self, item: Item) -> None:
        """Five minutes go by after it left the queue."""
        item.forgotten = True

    def remove(self, item: Item) -> None:
        """Its build is discarded."""
        self.builds[item.job.name].remove(item)

    def forget_sessions(self) -> None:
        """It is restarted: crumbs of before are void."""
        self._valid.clear()

    # --- what it answers -----------------------------------------------------------------------

    def _answer(self, callback: Callback) -> Reply:
        with self._lock:
            reply = self._routed(callback)
        return Reply(reply.status, {"X-Jenkins": "2.516.3", **reply.headers}, reply.body)

    def _routed(self, callback: Callback) -> Reply:
        by_token = _by_token(callback)
        if by_token is None and "authorization" in callback.headers:
            return _page(401, "Invalid password/token for user: " + USER)
        path = urlsplit(callback.path).path
        if not path.startswith(f"{self._prefix}/"):
            return _page(404, "Not Found")
        path = path[len(self._prefix) :]
        if callback.method == "POST" and not by_token and not self._has_crumb(callback):
            return _page(403, "No valid crumb was included in the request")
        if path == "/crumbIssuer/api/json":
            return self._new_crumb()
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        if segments[:2] == ["queue", "item"]:
            return self._item(segments[2:], callback)
        return self._of_job(callback, segments)

    def _new_crumb(self) -> Reply:
        if not self.crumbs:
            return _page(404, "Not Found")
        session = f"node0{next(self._sessions)}"
        self._valid[session] = f"{len(self._valid):064x}"
        said = {"crumb": self._valid[session], "crumbRequestField": "Jenkins-Crumb"}
        cookie = f"JSESSIONID.a1b2={session}; Path=/; HttpOnly"
        return Reply(200, {"Set-Cookie": cookie}, json.dumps(said).encode())

    def _has_crumb(self, callback: Callback) -> bool:
        if not self.crumbs:
            return True
        session = callback.headers.get("cookie", "").partition("=")[2]
        crumb = callback.headers.get("jenkins-crumb")
        return crumb is not None and self._valid.get(session) == crumb

    def _item(self, rest: Sequence[str], callback: Callback) -> Reply:
        found = [i for i in self.items if str(i.number) == rest[0] and not i.forgotten]
        if not found or rest[1:] != ["api", "json"]:
            return _page(404, "Not Found")
        return _json(found[0].as_dict(), callback)

    def _of_job(self, callback: Callback, segments: Sequence[str]) -> Reply:
        names = []
        while len(segments) >= 2 and segments[0] == "job":
            names.append(segments[1])
            segments = segments[2:]
        job = self.jobs.get("/".join(names))
        if not self.may_read:
            return _page(404, "Not Found")
        if job is None:
            folder = any(name.startswith("/".join(names) + "/") for name in self.jobs)
            if folder and segments == ["api", "json"]:
                return _json({"_class": "com.cloudbees.hudson.plugins.folder.Folder"}, callback)
            return _page(404, "Not Found")
        return self._asked_of(job, callback, segments)

    def _asked_of(self, job: Job, callback: Callback, segments: Sequence[str]) -> Reply:
        built = self.builds.get(job.name, [])
        match segments:
            case ["api", "json"]:
                return _json(_job(job, built), callback)
            case [number, "api", "json"]:
                found = [item for item in built if str(item.build) == number]
                return _json(_build(found[0]), callback) if found else _page(404, "Not Found")
            case ["build" | "buildWithParameters" as call]:
                return self._triggered(job, callback, call)
        return _page(404, "Not Found")

    def _triggered(self, job: Job, callback: Callback, call: str) -> Reply:
        query = urlsplit(callback.path).query
        form = dict(parse_qsl(callback.body.decode(), True)) | dict(parse_qsl(query, True))
        if refused := self._unauthorised(job, callback, form):
            return refused
        if not job.buildable:
            return _page(409, f"{job.name} is not buildable")
        if call == "build" and job.parameters is not None:
            return _page(400, "Nothing is submitted")
        if call == "buildWithParameters" and job.parameters is None:
            return _page(500, "java.lang.IllegalStateException: This build is not parameterized!")
        given = {name: form.get(name, default) for name, default in (job.parameters or {}).items()}
        for name, choices in job.choices.items():
            if given[name] not in choices:
                return _page(500, f"Illegal choice for parameter {name}: {given[name]}")
        return self._queued(job, given, form.get("cause", ""))

    def _unauthorised(self, job: Job, callback: Callback, form: Mapping[str, str]) -> Reply | None:
        if job.trigger_token and "token" in form:
            right = form["token"] == job.trigger_token
            return None if right else _page(403, "Invalid token provided.")
        if not self.may_build or _by_token(callback) is None:
            return _page(403, f"{USER} is missing the Job/Build permission")
        return None if callback.method == "POST" else _page(405, "Method Not Allowed")

    def _queued(self, job: Job, given: Mapping[str, str], cause: str) -> Reply:
        if job.vetoed:
            return Reply(
                302, {"Location": f"{self.root}/job/{'/job/'.join(job.name.split('/'))}/"}
            )
        waiting = [i for i in self.items if not i.has_left and i.job is job]
        equal = [item for item in waiting if item.parameters == given]
        if not equal:
            self.items.append(Item(next(self._numbers), job, given, cause))
        number = equal[0].number if equal else self.items[-1].number
        return Reply(303 if equal else 201, {"Location": f"{self.root}/queue/item/{number}/"})


def _job(job: Job, built: Sequence[Item]) -> Mapping[str, Any]:
    parameterised = [
        {
            "_class": "hudson.model.ParametersDefinitionProperty",
            "parameterDefinitions": job.definitions(),
        }
    ]
    return {
        "_class": "hudson.model.FreeStyleProject",
        "name": job.name.rpartition("/")[2],
        "buildable": job.buildable,
        "property": [{}, *(parameterised if job.parameters is not None else [])],
        "actions": [{}, *(parameterised if job.parameters is not None else [])],
        "builds": [{"number": i.build, "queueId": i.number} for i in reversed(built)],
    }


def _build(item: Item) -> Mapping[str, Any]:
    return {
        "_class": "hudson.model.FreeStyleBuild",
        "number": item.build,
        "queueId": item.number,
        "building": item.result is None,
        "result": item.result,
    }


def _by_token(callback: Callback) -> bool | None:
    """Whether the user comes with an API token rather than a password; None: it is nobody."""
    given = callback.headers.get("authorization", "").removeprefix("Basic ")
    user, _, word = base64.b64decode(given).decode().partition(":")
    if user != USER or word not in (API_TOKEN, PASSWORD):
        return None
    return word == API_TOKEN


def _json(said: Mapping[str, Any], callback: Callback) -> Reply:
    """The part of it that was asked for."""
    wanted = parse_qs(urlsplit(callback.path).query).get("tree", [""])[0]
    part = _part(said, _parsed(wanted)) if wanted else said
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(part).encode())


def _part(said: Any, wanted: Mapping[str, Any]) -> Any:
    if isinstance(said, list):
        return [_part(one, wanted) for one in said]
    if not isinstance(said, Mapping) or not wanted:
        return said
    named = {name: _part(said[name], inner) for name, inner in wanted.items() if name in said}
    return {**({"_class": said["_class"]} if "_class" in said else {}), **named}


def _parsed(wanted: str) -> dict[str, Any]:
    """`a,b[c,d]{0,5}` as {a: {}, b: {c: {}, d: {}}}."""
    root: dict[str, Any] = {}
    open_: list[dict[str, Any]] = [root]
    last = root
    for word in re.findall(r"\w+|\[|\]|\{\d+,\d+\}", wanted):
        if word == "[":
            open_.append(last)
        elif word == "]":
            open_.pop()
        elif not word.startswith("{"):
            last = open_[-1].setdefault(word, {})
    return root


def _page(status: int, message: str) -> Reply:
    page = (
        f"<html><head><title>Error {status} {message}</title></head><body>{message}</body></html>"
    )
    return Reply(status, {"Content-Type": "text/html"}, page.encode())
