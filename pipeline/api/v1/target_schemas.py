"""What a target's document looks like, type by type: the options of every type that is installed.

Of the schemas that check them (`pipeline.targets`), for the OpenAPI description. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import fields

from pipeline import targets
from pipeline.targets.description import Option, described

_REF: Final = "#/components/schemas/"
_TYPES: Final[Mapping[type, Mapping[str, Any]]] = {
    fields.Boolean: {"type": "boolean"},
    fields.Integer: {"type": "integer"},
    fields.Float: {"type": "number"},
    fields.Mapping: {"type": "object", "additionalProperties": {"type": "string"}},
    fields.List: {"type": "array", "items": {"type": "string"}},
}
_GUARDS: Final = {
    "type": "object",
    "description": "How it is spared when there is much to tell.",
    "properties": {
        "concurrency": {"type": "integer", "minimum": 1,
                        "description": "At most so many at once."},
        "rate-limit": {"type": "string", "description": "How many in which time.",
                       "examples": ["10/minute"]},
        "storm": {"type": "string", "examples": ["20/60s"],
                  "description": "From so many in that time on, one digest tells of all; `off`: "
                                 "never."},
        "retry-delays": {"type": "array", "items": {"type": "string"},
                         "description": "When to try again.", "examples": [["10s", "5m", "2h"]]},
    },
}  # fmt: skip
_COMMON: Final[Mapping[str, Any]] = {
    "name": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{1,31}$",
             "description": "Unique among targets, groups, filters and matchers."},
    "type": {"type": "string", "description": "What sort of receiver it is."},
    "comment": {"type": "string", "description": "What it is for, for people."},
    "disable": {"type": "boolean", "description": "A disabled one is told nothing."},
    "filter": {"type": "string", "description": "The filter that a notification has to pass."},
    "fallback": {"type": "string",
                 "description": "The target that takes what this one could not deliver."},
    "guards": {"$ref": f"{_REF}Guards"},
}  # fmt: skip


def target_schemas() -> dict[str, Any]:
    """The schemas by name: `TargetIn`, one for each type (`TargetWebhook`), and `Guards`."""
    of_types = {name: f"Target{_title(name)}" for name in targets.types()}
    return {
        "TargetIn": {
            "type": "object",
            "description": "A target: what every target has, and the options of its type.",
            "required": ["name", "type"],
            "properties": dict(_COMMON),
            "oneOf": [{"$ref": f"{_REF}{schema}"} for schema in of_types.values()],
            "discriminator": {
                "propertyName": "type",
                "mapping": {name: f"{_REF}{schema}" for name, schema in of_types.items()},
            },
        },
        **{schema: _of_type(name) for name, schema in of_types.items()},
        "Guards": _GUARDS,
    }


def _of_type(name: str) -> dict[str, Any]:
    options = described(name)
    return {
        "type": "object",
        "description": f"The options of a target of type {name}.",
        "required": ["type", *(each.name for each in options if each.needed)],
        "properties": {
            "type": {"const": name, "type": "string"},
            **{each.name: _schema(each) for each in options},
        },
    }


def _schema(option: Option) -> dict[str, Any]:
    kinds = (form for kind, form in _TYPES.items() if isinstance(option.field, kind))
    found = dict(next(kinds, {"type": "string"}))
    if option.choices:
        found["enum"] = list(option.choices)
    if option.secret:
        found |= {"writeOnly": True, "description": "A secret: kept encrypted, shown as ***."}
    return found


def _title(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace("_", "-").split("-"))
