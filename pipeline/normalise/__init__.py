"""Events are normalised: a notification, whatever its shape, becomes an Event with typed traits.

    settings.py      the settings `normalise.*`
    grammar.py       the grammar of event_definitions.yaml
    definitions.py   a file → compiled definitions; which of them an event type gets
    fields.py        a field path → what it finds
    plugins.py       split, map, bitfield, timedelta
    traits.py        a trait, the default ones, and the conversions to the four types
    extraction.py    traits → one function that takes them out of a document
    normalised.py    a list of events that were normalised elsewhere → events
    normaliser.py    a notification → its event, or events

Pure: no I/O, no clock, no log.
"""

from __future__ import annotations

from pipeline.normalise.definitions import Definitions, compiled
from pipeline.normalise.normalised import event_of
from pipeline.normalise.normaliser import Normaliser, normalised_lines
from pipeline.normalise.settings import NormaliseSettings

__all__ = [
    "Definitions",
    "NormaliseSettings",
    "Normaliser",
    "compiled",
    "event_of",
    "normalised_lines",
]
