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
# Of trust+http and its like the user is the trust.
_TRUST = re.compile(r"(?P<head>\btrust\+\w+://)[^\s/?#@'\"]+@", re.IGNORECASE)
_LONE_USER = re.compile(r"(?P<head>\b(?:https?|jenkinss?|slack)://)[^\s/?#:@'\"]+@", re.IGNORECASE)
# All of a Slack webhook's path is what lets in; a channel's name, behind a token, is not.
_HOOK = re.compile(
    r"(?P<head>\b(?:slack://[^\s/?#'\"@]+/|https?://hooks\.slack(?:-gov)?\.com/\w+/))[^\s'\"<>?#]+",
    re.IGNORECASE,
)
# The last part of the path is the token.
_GOTIFY = re.compile(r"(?P<head>\bgotifys?://[^\s'\"<>?#]+/)[^\s/'\"<>?#]+/*", re.IGNORECASE)
_ARGUMENT = re.compile(r"(?P<head>[?&;#](?P<name>[^\s=&;#?]+)=)(?P<value>[^\s&#'\"<>]+)")
_SECRET_NAME = re.compile(
    r"token|passw|passphrase|pwd|secret|credential|signature|^sig$|auth$|key$", re.IGNORECASE
)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_FILLED = re.compile(r"\{\{.*?\}\}|\$\{(?:env|file):[^{}]*\}", re.DOTALL)
_SCHEME = re.compile(r"^(?:basic|bearer|token)\b", re.IGNORECASE)
_HARMLESS_NAMES = frozenset({"routing_key", "partition_key", "clientkey", "sslkey", "ssl_key"})

_URL = re.compile(
    r"\b(?P<scheme>[a-z][a-z0-9.-]*)(?:\+[a-z0-9+.-]+)?://[^\s'\"<>]+", re.IGNORECASE
)
_HOST_SCHEMES = frozenset(
    re.findall(
        r"\w+",
        "alarms amqp amqps azureservicebus azurestoragequeues confluentkafka consul etcd exec"
        " file filesystem ftp ftps gcpubsub gotify gotifys http https jenkins jenkinss kafka ldap"
        " ldaps log mailto memory mongodb mysql notifier oslo postgres postgresql pyamqp qpid"
        " rabbit redis rediss sentinel slack smtp smtps sqla sqlite sqs ssh store tcp test trust"
        " udp unix valkey ws wss zaqar zookeeper",
    )
)
"""The schemes of URLs whose host is one. Of any other, Apprise's above all, it may be a token."""


def mask_url(text: str) -> str:
    """The text with the secrets of every URL in it masked.

    Masked are the password of `user:password@`, a lone `user@` of an http, Jenkins or Slack URL
    (it is a token there), the trust of `trust+http://trust:delete@`, the path of a Slack webhook,
    the token at the end of Gotify's, and the query arguments whose name says so: `?token=…`,
    `&api_key=…`. Of a scheme that is not known all is: `tgram://***`.
    """
    if "://" not in text and "=" not in text:
        return text
    text = _URL.sub(_masked_unknown, text)
    text = _TRUST.sub(rf"\g<head>{MASK}@", text)
    text = _PASSWORD.sub(rf"\g<head>:{MASK}@", text)
    text = _LONE_USER.sub(rf"\g<head>{MASK}@", text)
    text = _HOOK.sub(rf"\g<head>{MASK}", text)
    text = _GOTIFY.sub(rf"\g<head>{MASK}", text)
    return _ARGUMENT.sub(_masked_argument, text)


def has_plain_host(scheme: str) -> bool:
    """Whether what stands where a URL of this scheme has its host is one, and may be shown."""
    return scheme.partition("+")[0].lower() in _HOST_SCHEMES


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret by what it is called: `token`, `api_key`, …"""
    return bool(_SECRET_NAME.search(name)) and name.lower() not in _HARMLESS_NAMES


def holds_secret(text: str, name: str = "") -> bool:
    """Whether a text has a secret in it, or is one by its name (`Authorization`, `X-Api-Key`).

    What a template or a lookup will put there is none.
    """
    written = _FILLED.sub("", text)
    if is_secret_name(name) or name.lower() in _SECRET_HEADERS:
        return bool(_SCHEME.sub("", written.strip()).strip())
    return mask_url(written) != written


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


def _masked_unknown(match: re.Match[str]) -> str:
    return match[0] if has_plain_host(match["scheme"]) else f"{match['scheme']}://{MASK}"


def _masked_argument(match: re.Match[str]) -> str:
    if is_secret_name(match["name"]):
        return f"{match['head']}{MASK}"
    if "=" not in match["value"]:
        return match[0]
    # What is named inside a value: `argument=--token=…`, `next=https://host/?token=…`.
    return match["head"] + _ARGUMENT.sub(_masked_argument, f"?{match['value']}")[1:]
