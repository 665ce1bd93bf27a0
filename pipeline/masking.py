"""Masking: a URL as it may be shown, with `***` where its secrets were.

Used wherever a URL is logged, listed or put into an error. It works on any text, so that a URL
inside a sentence or a traceback is masked as well. Pure; in doubt it masks too much, never too
little.
"""

from __future__ import annotations

import re
from typing import Any

MASK = "***"

# The user info ends at the last @ before the path, as in every URL parser; a password with a raw
# slash (SQLAlchemy takes one) ends there too, unless what looks like it is a port: host:80/a@b.
_PASSWORD = re.compile(r"(?P<head>://[^\s/?#:@]*):(?!\d+[/?#])(?:[^\s/?#'\"]*|[^\s@'\"]*)@")
_LONE_USER = re.compile(r"(?P<head>\b(?:https?|jenkinss?|slack)://)[^\s/?#:@'\"]+@", re.IGNORECASE)
# All of a Slack webhook's path is what lets in; a channel's name, behind a token, is not.
_HOOK = re.compile(
    r"(?P<head>\b(?:slack://[^\s/?#'\"@]+/|https?://hooks\.slack(?:-gov)?\.com/\w+/))[^\s'\"<>?#]+",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(r"(?P<head>[?&;#](?P<name>[^\s=&;#?]+)=)(?P<value>[^\s&#'\"<>]+)")
_SECRET_NAME = re.compile(
    r"token|passw|passphrase|pwd|secret|credential|signature|^sig$|auth$|key$", re.IGNORECASE
)
_HARMLESS_NAMES = frozenset({"routing_key", "partition_key", "clientkey", "sslkey", "ssl_key"})


def mask_url(text: str) -> str:
    """The text with the secrets of every URL in it masked.

    Masked are the password of `user:password@`, a lone `user@` of an http, Jenkins or Slack URL
    (it is a token there), the path of a Slack webhook, and the query arguments whose name says
    so: `?token=…`, `&api_key=…`.
    """
    if "://" not in text and "=" not in text:
        return text
    text = _PASSWORD.sub(rf"\g<head>:{MASK}@", text)
    text = _LONE_USER.sub(rf"\g<head>{MASK}@", text)
    text = _HOOK.sub(rf"\g<head>{MASK}", text)
    return _ARGUMENT.sub(_masked_argument, text)


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret by what it is called: `token`, `api_key`, …"""
    return bool(_SECRET_NAME.search(name)) and name.lower() not in _HARMLESS_NAMES


def masked(value: Any) -> Any:
    """The same value with every URL inside it masked: texts, and lists and mappings of them."""
    if isinstance(value, str):
        return mask_url(value)
    if isinstance(value, dict):
        return {k: MASK if _is_secret(k, v) else masked(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return value


def _is_secret(name: object, value: object) -> bool:
    return isinstance(name, str) and is_secret_name(name) and isinstance(value, str) and value > ""


def _masked_argument(match: re.Match[str]) -> str:
    if not is_secret_name(match["name"]):
        return match[0]
    return f"{match['head']}{MASK}"
