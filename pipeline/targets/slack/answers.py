"""Answers: what Slack says to a message → an outcome (delivery 4).

An incoming webhook answers by status, with a word in its body: 200 `ok`, 404 `no_service`. The API
answers 200 to everything that it understood, and says in JSON whether it did it.

The words are those of Slack's reference for `chat.postMessage` and of its notes on errors of
incoming webhooks. Pure. Used by `pipeline.targets.slack.target` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from pipeline.notification import Delivered, Failed, Outcome, Refused
from pipeline.targets.answer import Answer, judge, retry_after

_NOT_NOW: Final = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "rollup_error",
        # The workspace is being moved.
        "team_added_to_org",
        "org_login_required",
        "accesslimited",
    }
)

_NEW_TOKEN = "make a new token under “OAuth & Permissions” of the Slack app"
_NEW_HOOK = "make a new webhook in the Slack app, and give its URL"
_INVITE = "invite the app to the channel (/invite @app), and give the channel's id (C…)"
_TOO_MUCH = (
    "what Tocsin sends is not as Slack wants it: that is a bug of Tocsin's, or of `message`"
)
_ADMIN = "an administrator of the workspace has to allow it"


def _mending(mend: str, *words: str) -> dict[str, str]:
    return dict.fromkeys(words, mend)


_MEND: Final[Mapping[str, str]] = {
    **_mending(_NEW_TOKEN, "invalid_auth", "not_authed", "account_inactive", "token_revoked",
               "token_expired", "not_allowed_token_type", "no_permission"),
    **_mending("give the app the scope chat:write, and install it again", "missing_scope"),
    **_mending(_INVITE, "channel_not_found", "not_in_channel"),
    **_mending("unarchive the channel, or give another", "is_archived", "channel_is_archived"),
    **_mending(_ADMIN, "restricted_action", "restricted_action_read_only_channel",
               "restricted_action_thread_only_channel", "action_prohibited", "ekm_access_denied",
               "posting_to_general_channel_denied", "access_denied", "team_access_not_granted"),
    **_mending(_NEW_HOOK, "no_service", "no_service_id", "no_team", "no_active_hooks",
               "team_disabled", "invalid_token"),
    **_mending(_TOO_MUCH, "invalid_payload", "invalid_blocks", "invalid_blocks_format",
               "invalid_attachments", "msg_too_long", "msg_blocks_too_long", "no_text",
               "too_many_attachments", "invalid_arguments",
               "missing_text_or_fallback_or_attachments"),
    **_mending("give a user that exists", "user_not_found"),
}  # fmt: skip
"""What a person can do about an error that stays."""

_WORD = re.compile(r"[a-z][a-z_]{2,60}\Z", re.ASCII)
_MOST_DETAILS, _LONGEST_DETAIL = 3, 200


def of_webhook(answer: Answer, now: datetime) -> Outcome:
    """What an incoming webhook's answer means."""
    outcome = judge(answer, now)
    word = answer.head.strip()
    if not _WORD.match(word) or isinstance(outcome, Delivered):
        return outcome
    if isinstance(outcome, Failed | Refused):
        return replace(outcome, reason=f"{outcome.reason}: {_said(word)}")
    return outcome


def of_api(answer: Answer, now: datetime) -> Outcome:
    """What the API's answer means."""
    outcome = judge(answer, now)
    if not isinstance(outcome, Delivered):
        return outcome
    said = _object(answer.body)
    if said.get("ok") is True:
        return outcome
    word = said.get("error")
    if not isinstance(word, str) or not _WORD.match(word):
        return Failed("answered 200, but not as Slack does", answer.status, answer.head)
    reason = f"Slack says {_said(word, _details(said))}"
    if word in _NOT_NOW or word not in _MEND:
        wait = retry_after(answer.headers.get("retry-after", ""), now)
        return Failed(reason, answer.status, answer.head, wait)
    return Refused(reason, answer.status, answer.head)


def _said(word: str, details: Iterable[str] = ()) -> str:
    more = "".join(f" ({detail})" for detail in details)
    mend = f". To mend it, {_MEND[word]}" if word in _MEND else ""
    return f"{word}{more}{mend}"


def _details(said: Mapping[str, Any]) -> Iterable[str]:
    """What it says beside the word: the scope that is missing, the block that it cannot take."""
    metadata = said.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    found = [said.get("needed"), *(messages if isinstance(messages, list) else ())]
    texts = [one[:_LONGEST_DETAIL] for one in found if isinstance(one, str) and one.isprintable()]
    return texts[:_MOST_DETAILS]


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        said = orjson.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
