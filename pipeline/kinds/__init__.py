"""Kinds of notifications: what is guaranteed of each, and who is told (notifications 17, 19, 20).

    types.py      the types that a field may have
    kind.py       a kind: its fields, its severity, its policy; whether a notification keeps to it
    builtin.py    those that Tocsin comes with
    grammar.py    those that people register in a file

Pure: no I/O, no clock, no log. Used where notifications are made, routed and put into words.
"""

from __future__ import annotations

from pipeline.kinds.builtin import BUILTIN
from pipeline.kinds.grammar import KindsSettings, kinds_in
from pipeline.kinds.kind import Field, Kind, Kinds, Policy, check
from pipeline.kinds.types import TYPES, FieldType

__all__ = [
    "BUILTIN",
    "TYPES",
    "Field",
    "FieldType",
    "Kind",
    "Kinds",
    "KindsSettings",
    "Policy",
    "check",
    "kinds_in",
]
