"""Aodh: the alarms of one that runs, over its API, as items.

Event alarms come with their ids, projects, owners and states; their history stays behind. Alarms
of other types, and actions that only Aodh can carry out, are listed with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import requests

from pipeline.alarms.alarm_schema import SUPPORTED_TYPES
from pipeline.as_code import Item
from pipeline.as_code.wanted import Making, wanted_alarm
from pipeline.errors import InvalidValue, Problem, TocsinError
from pipeline.masking import mask_url

_PAGE: Final = 500
_TIMEOUT_SECONDS: Final = (5.0, 60.0)
_ACTIONS: Final = ("ok_actions", "alarm_actions", "insufficient_data_actions")
_TRUST: Final = "trust+"


class AodhUnavailable(TocsinError):
    """An Aodh or a Keystone that did not answer as it should."""


class Imported(NamedTuple):
    """The items, and what is not carried over."""

    items: list[Item]
    left: list[Problem]


@dataclass(frozen=True, slots=True)
class Login:
    """Who to be towards Keystone (its v3 API, by password)."""

    auth_url: str
    username: str
    password: str
    project_name: str
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"


def alarms_of(
    url: str, headers: Mapping[str, str], *, all_projects: bool, verify: bool | str = True
) -> Iterator[Mapping[str, Any]]:
    """Every alarm, in Aodh's JSON form. Raises `AodhUnavailable`."""
    where = f"{url.rstrip('/')}/v2/alarms"
    wanted: dict[str, str | int] = {"limit": _PAGE, "sort": "alarm_id:asc"}
    if all_projects:
        wanted |= {"q.field": "all_projects", "q.op": "eq", "q.value": "true"}
    seen: set[str] = set()
    while True:
        page = _listed(where, headers, wanted, verify)
        new = [alarm for alarm in page if alarm["alarm_id"] not in seen]
        yield from new
        if not new:
            return
        seen.update(alarm["alarm_id"] for alarm in new)
        wanted["marker"] = new[-1]["alarm_id"]


def imported(alarms: Iterator[Mapping[str, Any]], url: str, making: Making) -> Imported:
    """The items of these alarms, and what of them is not carried over."""
    found = Imported([], [])
    for alarm in alarms:
        place = partial(_placed, url, alarm)
        if alarm.get("type") not in SUPPORTED_TYPES:
            message = f"type {alarm.get('type')} needs a metrics database."
            found.left.append(place((), message))
            continue
        item = Item("alarm", _carried(alarm, found.left, url), place)
        try:
            wanted_alarm(item, None, making)
        except InvalidValue as error:
            found.left.extend(item.problems(error.messages or {"_schema": [str(error)]}))
        else:
            found.items.append(item)
    return found


def token_of(login: Login, verify: bool | str = True) -> str:
    """A token of Keystone's. Raises `AodhUnavailable`."""
    user = {
        "name": login.username,
        "password": login.password,
        "domain": {"name": login.user_domain_name},
    }
    project = {"name": login.project_name, "domain": {"name": login.project_domain_name}}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": project},
        }
    }
    where = login.auth_url.rstrip("/").removesuffix("/v3") + "/v3/auth/tokens"
    answer = _asked("POST", where, {}, verify, json=body)
    token = answer.headers.get("X-Subject-Token")
    if not token:
        raise AodhUnavailable(f"{mask_url(where)} gave no token. Is it Keystone's v3 API?")
    return token


def _carried(alarm: Mapping[str, Any], left: list[Problem], url: str) -> dict[str, Any]:
    """The alarm as it is to be here: it sees its own project, as it did."""
    data = {**alarm, "all_projects": False}
    for name in _ACTIONS:
        actions = alarm.get(name) or []
        data[name] = [action for action in actions if not action.startswith(_TRUST)]
        if len(data[name]) < len(actions):
            message = "its trusts were given to Aodh's own user. Set such an action again."
            left.append(_placed(url, alarm, (name,), message))
    return data


def _placed(
    url: str, alarm: Mapping[str, Any], path: Sequence[str | int], message: str
) -> Problem:
    within = "".join(f" {step}" for step in path[:1])
    who = f"alarm {alarm.get('name')!r} ({alarm.get('alarm_id')}){within}"
    return Problem(mask_url(url), None, None, who, f"not carried over: {message}")


def _listed(
    where: str, headers: Mapping[str, str], wanted: Mapping[str, Any], verify: bool | str
) -> list[Any]:
    answer = _asked("GET", where, headers, verify, params=wanted)
    try:
        page = answer.json()
    except ValueError:
        page = None
    if not isinstance(page, list) or not all(
        isinstance(each, dict) and isinstance(each.get("alarm_id"), str) for each in page
    ):
        raise AodhUnavailable(f"{mask_url(where)} gave no list of alarms. Is it Aodh's address?")
    return page


def _asked(
    method: str, where: str, headers: Mapping[str, str], verify: bool | str, **more: Any
) -> requests.Response:
    shown = mask_url(where)
    try:
        answer = requests.request(
            method,
            where,
            headers=dict(headers),
            verify=verify,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
            **more,
        )
    except requests.RequestException as error:
        raise AodhUnavailable(f"{shown} {_why_none(error)}") from error
    if answer.status_code in (401, 403):
        raise AodhUnavailable(
            f"{shown} answered {answer.status_code}. Give --os-token, the --os-… of an admin, or"
            " without Keystone --header 'X-Roles: admin'; --own-project for your own alarms only"
        )
    if not answer.ok or answer.is_redirect:
        said = mask_url(answer.text[:200])
        raise AodhUnavailable(f"{shown} answered {answer.status_code}: {said}")
    return answer


def _why_none(error: requests.RequestException) -> str:
    """Why there is no answer, and what to look at."""
    match error:
        case requests.exceptions.SSLError():
            return f"cannot be trusted: {error}. Name its authority with --os-cacert"
        case requests.Timeout():
            return "did not answer in time"
        case requests.ConnectionError():
            return "cannot be reached. Is the address right, and does it run?"
    return f"cannot be asked: {mask_url(str(error))}"
