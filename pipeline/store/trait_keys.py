"""Trait values → texts that stand in an index in the values' own order.

One index over texts serves every type of trait and every operator, on every database: a key is a
letter for the kind of value, then the value written so that code points order it. Of two values
of a kind the smaller never has the greater key, so a range of keys holds whatever a comparison
can find, and perhaps a little more: long texts are cut, large integers become floats. Who reads
by keys looks at the event itself before believing it.

Pure. The keys are stored: what they look like may never change. Used by `store.sql.archive`
and `archive_places`.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from datetime import datetime

from pipeline.alarms.alarm import ConditionValue
from pipeline.alarms.conditions import BOOLEAN, MOMENT, NUMBER, TEXT, Kind
from pipeline.event import TraitValue
from pipeline.store.types import instant_text

_LONGEST = 200
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_AFTER_ALL_BEFORE_SURROGATES = "\ue000"

_LETTERS = {MOMENT: "d", NUMBER: "n", TEXT: "s"}
_KINDS_OF = {BOOLEAN: (NUMBER, TEXT)}
"""What tells a truth: the numbers 0 and 1, and words."""

Range = tuple[str, str]


def trait_key(value: TraitValue) -> str:
    """The key of a value."""
    if isinstance(value, str):
        return _LETTERS[TEXT] + _ordered_text(value)
    if isinstance(value, datetime):
        return _LETTERS[MOMENT] + instant_text(value)
    return _LETTERS[NUMBER] + _ordered_number(value)


def ranges(op: str, kind: Kind, constant: ConditionValue) -> Sequence[Range]:
    """Ranges of keys, ends included, that hold every value of which the comparison is true."""
    if kind in _KINDS_OF:
        return [_all(each) for each in _KINDS_OF[kind]]
    lowest, highest = _all(kind)
    key = trait_key(constant)
    match op:
        case "eq":
            return [(key, key)]
        case "lt" | "le":
            return [(lowest, key)]
        case "gt" | "ge":
            return [(key, highest)]
    return [(lowest, highest)]


def _all(kind: Kind) -> Range:
    letter = _LETTERS[kind]
    return letter, chr(ord(letter) + 1)


def _ordered_text(text: str) -> str:
    """The head of a text, up to the first character that a database does not take."""
    head = text[:_LONGEST]
    unstorable = _UNSTORABLE.search(head)
    if unstorable is None:
        return head
    cut = head[: unstorable.start()]
    return cut if unstorable[0] == "\0" else cut + _AFTER_ALL_BEFORE_SURROGATES


def _ordered_number(value: int | float) -> str:
    """The bits of the float, turned so that they order as the numbers do; NaN comes last."""
    try:
        number = float(value) + 0.0  # of the two zeros, the positive one
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    if math.isnan(number):
        return "f" * 16
    (bits,) = struct.unpack(">Q", struct.pack(">d", number))
    turned = bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 1 << 63)
    return f"{turned:016x}"
