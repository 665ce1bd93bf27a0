"""Export: what there is → YAML documents that `tocsin apply` makes the same of. Pure.

Built-in entries are left out while nobody has changed them. Without secrets these are `***`,
which stands for what there is: such a file applies to the database that it came from, and
elsewhere says of each secret that it is missing.
"""

from __future__ import annotations

from typing import Any

import yaml

from pipeline.as_code.forms import alarm_form, entry_form
from pipeline.as_code.items import LISTS
from pipeline.dispatch import Origin
from pipeline.dispatch.references import word
from pipeline.errors import InvalidValue
from pipeline.masking import MASK
from pipeline.store.applying import Present

_HEAD = "# Made by tocsin export; read by tocsin apply.\n"
_MASKED = (
    "# Secrets are not in it: *** is the one that the database has. For another database write\n"
    "# them in, or ${env:NAME} or ${file:PATH}, or export --with-secrets.\n"
)


def exported(present: Present, *, with_secrets: bool) -> dict[str, str]:
    """A YAML text for each list that is not empty, by its name: `alarms`, `targets`, …

    Raises `InvalidValue` for secrets that are asked for and cannot be had.
    """
    if with_secrets and present.unreadable:
        raise InvalidValue("; ".join(present.unreadable.values()))
    forms = lists(present, mask=not with_secrets)
    return {name: text(name, forms[name]) for name in LISTS if forms[name]}


def text(name: str, forms: list[dict[str, Any]]) -> str:
    """One list as a document."""
    body: str = yaml.safe_dump(
        {name: forms}, sort_keys=False, allow_unicode=True, default_flow_style=False, width=99
    )
    return _HEAD + (_MASKED if MASK in body else "") + body


def lists(present: Present, *, mask: bool) -> dict[str, list[dict[str, Any]]]:
    """What there is, as files have it, each list by name."""
    alarms = sorted(present.alarms, key=lambda alarm: (alarm.name, alarm.alarm_id))
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LISTS}
    found["alarms"] = [alarm_form(alarm, mask=mask) for alarm in alarms]
    of_kind = {kind: name for name, kind in LISTS.items()}
    for _, entry in sorted(present.entries.items()):
        if entry.origin is not Origin.BUILTIN:
            found[of_kind[word(entry)]].append(_entry_form(entry, mask))
    return found


def _entry_form(entry: Any, mask: bool) -> dict[str, Any]:
    """Of public options nothing is masked: they would be lost."""
    if not mask:
        return entry_form(entry, mask=False)
    shown = entry_form(entry, mask=True)
    clear = entry_form(entry, mask=False)
    secrets = {name.replace("_", "-") for name in getattr(entry, "secrets", ())}
    return {name: shown[name] if name in secrets else clear[name] for name in clear}
