"""The envelope: bytes as they came → an `Envelope`, or `Rejected` with the reason.

    opening.py       which format a body has: oslo v1 and v2, bare CADF; the one way in
    cloudevents.py   CloudEvents 1.0, structured and binary
    mail.py          mails, and which of them are better not answered
    decoding.py      bytes → JSON values: compression, and JSON that strict readers refuse
    secrets.py       what must not be stored: dropped from contexts, masked elsewhere
    moments.py       the time formats of the wire → aware UTC

Pure: no I/O, no clock, no log. Nothing that a sender can write raises an exception here.
"""

from __future__ import annotations

from pipeline.envelope.cloudevents import binary_attributes
from pipeline.envelope.moments import moment
from pipeline.envelope.opening import MESSAGE_ID_LIMIT, Envelope, open_envelope
from pipeline.envelope.secrets import masked, scrub_head

__all__ = [
    "MESSAGE_ID_LIMIT",
    "Envelope",
    "binary_attributes",
    "masked",
    "moment",
    "open_envelope",
    "scrub_head",
]
