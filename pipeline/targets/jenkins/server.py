"""Server: one Jenkins, asked within one attempt's time; and what its refusals mean.

A POST by a user with a password rather than an API token needs a crumb, which is good for the
session that it came with. It is fetched when Jenkins first asks for one, and kept. Safe to use
from many threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from pipeline.dispatch import receiver
from pipeline.notification import Delivered, InProgress, Outcome, Refused
from pipeline.targets.answer import Answer, judge
from pipeline.targets.http import HttpSender, Request
from pipeline.targets.jenkins import replies
from pipeline.targets.jenkins.replies import Crumb
from pipeline.targets.way import Way

_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
_CRUMB_ISSUER: Final = "/crumbIssuer/api/json"


class Bounds(NamedTuple):
    """Those of one attempt: by when it must end, a time of `time.monotonic`, and whether the
    outbound guard looks at it."""

    end: float
    guarded: bool


class Server:
    """The Jenkins at `url`, which holds no secret. `secrets` are what nobody is shown."""

    def __init__(
        self,
        url: str,
        user: str,
        api_token: str,
        secrets: tuple[str, ...],
        way: Way,
        http: HttpSender,
        clock: Callable[[], datetime],
    ) -> None:
        self.url = url.rstrip("/")
        self.who, self.user = receiver(url), user
        # In the URL, so that whatever comes back is masked for both of them.
        self._root = _with_credentials(self.url, user, api_token)
        self._secrets, self._way = secrets, way
        self._http, self._clock = http, clock
        self._crumb: Crumb | None = None

    def get(self, path: str, tree: str, by: Bounds) -> Answer | Outcome:
        """What Jenkins says of what is at a path; an outcome where no answer came."""
        url = f"{self._root}{path}/api/json?tree={quote(tree, safe='[]{},')}"
        return self._send(Request(url, b"", {}, "GET", secrets=self._secrets), by)

    def post(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str], by: Bounds
    ) -> Answer | Outcome:
        """What Jenkins says to a form, with a crumb if it wants one."""
        answer = self._post(path, form, headers, by)
        if isinstance(answer, Answer) and _wants_crumb(answer):
            refused = self._fetch_crumb(by)
            return refused or self._post(path, form, headers, by)
        return answer

    def trouble(self, answer: Answer, what: str) -> Outcome:
        """What an answer means that is not the one hoped for, and how to mend it. `what` was to
        be done: "read the job x"."""
        outcome = judge(answer, self._clock())
        hint = self._hint(answer)
        if isinstance(outcome, (Delivered, InProgress)):
            said = f"cannot {what}: {self.who} answered {answer.status}, but not as Jenkins does"
            return Refused(f"{said}.{hint}", answer.status, answer.head)
        if isinstance(outcome, Refused):
            gone = outcome.gone
            said = f"cannot {what}: {outcome.reason}.{hint}"
            return Refused(said, answer.status, answer.head, gone)
        return outcome

    def _hint(self, answer: Answer) -> str:
        if 300 <= answer.status < 400:
            return ""  # says itself where it leads
        if "x-jenkins" not in answer.headers and answer.status not in (401, 403):
            return f" Is there a Jenkins at {self.url}, under this prefix?"
        hints = {
            401: f" User {self.user!r} and the API token do not fit: make a new token in Jenkins,"
            " under the user's name, Security",
            403: f" Give {self._whom()} the permissions Overall/Read, Job/Read and Job/Build in"
            " Jenkins",
            404: f" Check its name and folders; or {self._whom()} may not see it: Job/Read",
        }
        return hints.get(answer.status, "")

    def _whom(self) -> str:
        return f"user {self.user!r}" if self.user else "everybody (no user is given)"

    def _fetch_crumb(self, by: Bounds) -> Outcome | None:
        """Keep a new crumb; what went wrong."""
        url = f"{self._root}{_CRUMB_ISSUER}"
        answer = self._send(Request(url, b"", {}, "GET", secrets=self._secrets), by)
        if not isinstance(answer, Answer):
            return answer
        crumb = replies.crumb(answer.body, answer.headers.get("set-cookie", ""))
        if answer.status != 200 or crumb is None:
            return self.trouble(answer, "get a crumb, which Jenkins asks for")
        self._crumb = crumb
        return None

    def _post(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str], by: Bounds
    ) -> Answer | Outcome:
        body = urlencode(form, encoding="utf-8", errors="replace").encode()
        secrets, more = self._secrets, dict(_FORM)
        if crumb := self._crumb:
            more |= {crumb.field: crumb.value}
            if crumb.cookies:
                more["cookie"] = crumb.cookies
            secrets += (crumb.value, crumb.cookies)
        url = f"{self._root}{path}"
        return self._send(Request(url, body, {**headers, **more}, secrets=secrets), by)

    def _send(self, request: Request, by: Bounds) -> Answer | Outcome:
        came: list[Answer] = []

        def keep(answer: Answer) -> Outcome:
            came.append(answer)
            return Delivered()

        outcome = self._http.send(request, keep, by.end, self._way, by.guarded)
        return came[0] if came else outcome


def _with_credentials(url: str, user: str, api_token: str) -> str:
    if not user:
        return url
    parts = urlsplit(url)
    pair = f"{quote(user, safe='')}:{quote(api_token, safe='')}"
    return urlunsplit((parts.scheme, f"{pair}@{parts.netloc}", parts.path, "", ""))


def _wants_crumb(answer: Answer) -> bool:
    return answer.status == 403 and b"crumb" in answer.body.lower()
