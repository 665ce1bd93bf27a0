"""Addresses: `jenkins(s)://` actions, and where a job is found on its server.

    jenkins[s]://[USER:TOKEN@]HOST[:PORT]/FOLDER/JOB?PARAMETER=TEMPLATE&…
    jenkins[s]://[USER:TOKEN@]HOST[:PORT][/PREFIX]/job/FOLDER/job/JOB[/buildWithParameters]?…

`jenkins` is http, `jenkinss` https. The second form is Jenkins' own URL of a job, as a browser
shows it; only there can a prefix stand, under which Jenkins is served. `token` in the query is the
job's own trigger token, as in Jenkins' URLs; names that begin with `tocsin-` are options of the
target; every other name is a parameter of the job, its value a template.

Pure. Used by `pipeline.targets.jenkins.target` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pipeline.errors import InvalidValue

_SCHEMES: Final = {"jenkins": "http", "jenkinss": "https"}
_JOB, _VIEW = "job", "view"
_OWN: Final = "tocsin-"
_OPTIONS: Final = {
    "tocsin-wait": "wait",
    "tocsin-failed-build": "failed_build",
    "tocsin-follow-seconds": "follow_seconds",
    "tocsin-verify": "verify",
    "token": "trigger_token",
}
_CALLS: Final = ("build", "buildWithParameters")


def options_of(action: str) -> Mapping[str, Any]:
    """The options that an action stands for. Raises `InvalidValue` for none, without secrets."""
    try:
        parts = urlsplit(action.strip())
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError as error:
        raise InvalidValue("It is not a URL.") from error
    if not parts.hostname:
        raise InvalidValue("It names no host: jenkins://user:token@host/folder/job")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    prefix, job = _found(parts.path)
    root = f"{_SCHEMES[parts.scheme]}://{host}{port}{_path(prefix)}"
    return {"url": root, "job": "/".join(job), **_credentials(parts), **_asked(parts.query)}


def job_path(job: str) -> str:
    """The path of a job under the server's root: `/job/folder/job/name` of `folder/name`."""
    return "".join(f"/{_JOB}/{quote(name, safe='')}" for name in job.split("/"))


def _path(segments: Sequence[str]) -> str:
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def _found(path: str) -> tuple[Sequence[str], Sequence[str]]:
    """The prefix, and the job with its folders."""
    segments = [unquote(segment) for segment in path.split("/") if segment]
    if not segments:
        raise InvalidValue("It names no job: jenkins://user:token@host/folder/job")
    if _JOB not in segments:
        return (), segments
    at = segments.index(_JOB)
    prefix, rest = segments[:at], segments[at:]
    if len(rest) % 2 and rest[-1] in _CALLS:
        rest.pop()
    if len(rest) % 2 or any(word != _JOB for word in rest[::2]):
        raise InvalidValue(
            "Its path is not a job's: write /folder/job, or as Jenkins does /job/folder/job/name."
        )
    if _VIEW in prefix:  # a job that was looked up in a view
        prefix = prefix[: prefix.index(_VIEW)]
    return prefix, rest[1::2]


def _credentials(parts: SplitResult) -> Mapping[str, str]:
    user, token = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(token):
        raise InvalidValue("User and API token go together: jenkins://user:token@host/job")
    return {"user": user, "api_token": token} if user else {}


def _asked(query: str) -> Mapping[str, Any]:
    options: dict[str, Any] = {}
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.startswith(_OWN) and name not in _OPTIONS:
            raise InvalidValue(f"Unknown option {name}. It can be {', '.join(_OPTIONS)}.")
        kept, key = (options, _OPTIONS[name]) if name in _OPTIONS else (parameters, name)
        if key in kept:
            raise InvalidValue(f"{name} stands there twice.")
        kept[key] = value
    return {**options, "parameters": parameters}
