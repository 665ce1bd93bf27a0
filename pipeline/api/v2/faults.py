"""Errors → answers in Aodh's form (alarms 18).

    {"error_message": {"faultcode": "Client", "faultstring": "Alarm x not found",
     "debuginfo": null}}

The faultcode is `Server` for what is not the caller's doing. Problems of an alarm are told all at
once, in Aodh's words where it has some. Called by the application.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, g, jsonify, request

from pipeline.api.problems import Problem
from pipeline.api.v2.arguments import shown
from pipeline.errors import Forbidden, OutOfReach, OverQuota
from pipeline.masking import mask_url

_TEXTS: Mapping[int, str] = {
    404: "The resource could not be found.",
    405: "The method {method} is not allowed for this resource.",
}
"""What is said of requests that lead to nothing."""

_MISSING = ("Mandatory field missing.", "Missing data for required field.")
_UNKNOWN = "Unknown attribute: "
# What does not tell by itself which field it is about.
_OF_A_FIELD = ("Not a valid ", "An object with ", "A text, ", "Value should ", "Number too ")


def answer(error: Exception, problem: Problem) -> Response:
    """The answer to a request that led to an error, which is this problem."""
    status, text = _status(error, problem), _text(error, problem)
    code = "Client" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Server"
    fault = {"faultcode": code, "faultstring": text, "debuginfo": None}
    response = jsonify(error_message=fault)
    response.status_code = status
    response.headers.update(problem.headers)
    return response


def _status(error: Exception, problem: Problem) -> int:
    # Aodh forbids what a role does not allow, and calls who reaches for more unauthorized.
    reached = isinstance(error, OutOfReach)
    return int(HTTPStatus.UNAUTHORIZED if reached else problem.status)


def _text(error: Exception, problem: Problem) -> str:
    match error:
        case OutOfReach(aspect="action", name=name):
            return f"You are not authorized to create action: {name}"
        case OutOfReach(aspect=aspect, name=name):
            return f"Not Authorized to access {aspect} {name}"
        case OverQuota():
            return str(error)
        case Forbidden():
            return "RBAC Authorization Failed"
    if request.routing_exception is not None and problem.status in _TEXTS:
        return _TEXTS[problem.status].format(method=request.method)
    if getattr(error, "messages", None):
        text = "; ".join(_in_aodhs_words(problem.errors))
    else:
        text = problem.detail
    return text.replace("'. Use one of ", "'. Value should be one of: ")


def _in_aodhs_words(errors: tuple[tuple[str, str], ...]) -> Iterator[str]:
    argument = g.get("sent_name", "data")
    for path, text in errors:
        names = [name for name in path.split(".") if not name.isdecimal()] or [path]
        if text.startswith(_UNKNOWN) or text == "Unknown field.":
            within = ".".join([argument, *names[:-1]])
            known = text.removeprefix(_UNKNOWN) if text.startswith(_UNKNOWN) else names[-1]
            yield f"Unknown attribute for argument {within}: {known.rstrip('.')}"
        elif text in _MISSING:
            yield f"Invalid input for field/attribute {names[-1]}. Value: 'None'. {_MISSING[0]}"
        elif text.startswith(_OF_A_FIELD):
            value = shown(_without_secrets(_at(path)))
            yield f"Invalid input for field/attribute {names[-1]}. {value} {text}"
        else:
            yield text


def _at(path: str) -> Any:
    """What was sent at this path; None where nothing was."""
    value: Any = g.get("sent")
    for name in path.split("."):
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            return None
    return value


def _without_secrets(value: Any) -> Any:
    return mask_url(value) if isinstance(value, str) else value
