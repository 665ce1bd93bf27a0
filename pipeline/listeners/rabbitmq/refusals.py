"""What the broker's refusals mean: what it has, and which setting to change to what.

Reads the reply texts of RabbitMQ (3.x and 4.x). Pure: text and values in, text out. Called by
`topology`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.listeners.rabbitmq.settings import Flags

_INEQUIVALENT = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for (?P<kind>queue|exchange) '(?P<name>.*?)' in vhost"
    r" .*?: received .+? but current is (?P<current>.+)$",
    re.DOTALL,
)
_ACCESS_REFUSED = 403
_TYPED = re.compile(r"the value '(?P<value>.*)' of type '(?P<type>\w+)'$", re.DOTALL)


class Difference(NamedTuple):
    """One flag in which the broker's queue or exchange differs from what the settings say.

    `has` is the broker's value: a bool for `durable` and `auto_delete`, None for an argument that
    it does not have.
    """

    argument: str
    has: bool | int | str | None


def difference(reply_text: str) -> Difference | None:
    """The difference that a 406 PRECONDITION_FAILED tells of; None when it is about another."""
    found = _INEQUIVALENT.search(reply_text)
    if found is None:
        return None
    return Difference(found["argument"], _value(found["current"].strip()))


def adopted(flags: Flags, found: Difference) -> Flags | None:
    """The flags with the broker's value in place of ours; None where no setting could say it."""
    match found:
        case Difference("durable", bool(durable)):
            return flags._replace(durable=durable)
        case Difference("auto_delete", bool(auto_delete)):
            return flags._replace(auto_delete=auto_delete)
        case Difference(str(name), None) if name in flags.arguments:
            return flags._replace(
                arguments={k: v for k, v in flags.arguments.items() if k != name}
            )
        case Difference(str(name), has) if name.startswith("x-") and has is not None:
            return flags._replace(arguments={**flags.arguments, name: has})
    return None


def remedy(differences: Sequence[Difference]) -> str:
    """What the broker has and what to set: `It has durable: true … Set rabbitmq.durable: true.`"""
    has = ", ".join(f"{name} {_shown(value)}" for name, value in differences)
    quorum = Difference("x-queue-type", "quorum") in differences
    implied = ("durable", "auto_delete") if quorum else ()
    advice = [_advice(found) for found in differences if found.argument not in implied]
    return f"It has {has}. {' '.join(advice)}"


def explained(action: str, reply_code: int, reply_text: str, otherwise: str = "") -> str:
    """The message for a refused action such as `declare queue 'x'`; `otherwise` is a way round."""
    reason = " ".join(reply_text.split())
    if reply_code != _ACCESS_REFUSED:
        return f"The broker refuses to {action}: {reply_code} {reason}."
    grant = (
        "Grant the user of rabbitmq.urls configure, write and read on the queue and read on the "
        "exchange (rabbitmqctl set_permissions)"
    )
    return (
        f"The broker does not let us {action} ({reason}). {grant}{', ' if otherwise else '.'}"
        + (otherwise)
    )


def _value(text: str) -> bool | int | str | None:
    if text == "none":
        return None
    typed = _TYPED.match(text)
    bare = typed["value"] if typed else text.strip("'")
    if bare in ("true", "false"):
        return bare == "true"
    is_number = typed is None or typed["type"] != "longstr"
    return int(bare) if is_number and re.fullmatch(r"-?\d+", bare) else bare


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _advice(found: Difference) -> str:
    match found:
        case Difference("durable" | "auto_delete" as name, has):
            return f"Set rabbitmq.{name}: {_shown(has)}."
        case Difference("x-queue-type", None):
            return "Set rabbitmq.queue_type: classic."
        case Difference("x-queue-type", "quorum"):
            return "Set rabbitmq.queue_type: quorum."
        case Difference("x-dead-letter-exchange" | "x-dead-letter-routing-key" as name, has):
            setting = f"rabbitmq.{name.removeprefix('x-').replace('-', '_')}"
            return f"Leave {setting} empty." if has is None else f"Set {setting}: {_shown(has)}."
        case Difference("type", has):
            return f"A topic exchange is needed, not {has}: take it out of rabbitmq.exchanges."
        case Difference(str(name), None):
            return f"Take {name} out of rabbitmq.queue_arguments."
        case Difference(str(name), has) if name.startswith("x-"):
            return f"Set {name}: {_shown(has)} in rabbitmq.queue_arguments."
    return "No setting of Tocsin can match this; it has to be declared anew at the broker."
