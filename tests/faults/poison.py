"""Messages that cannot become events, one maker for each way in which they fail.

`POISONS[kind](number)` is a body that no other number gives. `UNRECORDABLE` begins the message ids
of events that are well-formed, but whose firing the database refuses once `refuse_unrecordable`
has been applied: the stand-in for whatever bug stops one event from being written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pipeline.store.sql import SqlStore

from messages import a_notification, enveloped

UNRECORDABLE = "unrecordable-"


def _v1(**changes: Any) -> bytes:
    return json.dumps(a_notification(**changes)).encode()


POISONS: dict[str, Callable[[int], bytes]] = {
    "no JSON": lambda n: b'{"broken": %d' % n,
    "no UTF-8": lambda n: b'{"a": "\xff\xfe", %d' % n,
    "no object": lambda n: b"[%d]" % n,
    "unknown format": lambda n: b'{"hello": %d}' % n,
    "unknown version": lambda n: b'{"oslo.version": "9.%d", "oslo.message": "{}"}' % n,
    "no message": lambda n: b'{"oslo.version": "2.0", "oslo.message": %d}' % n,
    "message that is no object": lambda n: enveloped(f"[{n}]"),
    "message that is no JSON": lambda n: enveloped(f"{{{n}"),
    "no id": lambda n: _v1(message_id=None, payload={"number": n}),
    "id that is too long": lambda n: _v1(message_id="i" * 600 + str(n)),
    "id that is an object": lambda n: _v1(message_id={"number": n}),
    "time that is none": lambda n: _v1(timestamp=f"tomorrow {n}"),
    "nested too deeply": lambda n: b'{"message_id": ' + b"[" * 100_000 + b"%d" % n,
    "CloudEvent without a type": lambda n: (
        b'{"specversion": "1.0", "id": "%d", "source": "s"}' % n
    ),
    "damaged compression": lambda n: b"\x1f\x8b\x08%d" % n,
}

_REFUSE_POSTGRESQL = f"""
CREATE FUNCTION refuse_unrecordable() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF starts_with(NEW.message_id, '{UNRECORDABLE}') THEN RAISE 'a bug'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse_unrecordable BEFORE INSERT ON firing
  FOR EACH ROW EXECUTE FUNCTION refuse_unrecordable()
"""
_REFUSE_SQLITE = f"""
CREATE TRIGGER refuse_unrecordable BEFORE INSERT ON firing
  WHEN instr(NEW.message_id, '{UNRECORDABLE}') = 1
BEGIN SELECT RAISE(ABORT, 'a bug'); END
"""


def refuse_unrecordable(store: SqlStore) -> None:
    """Let the database refuse every firing by an event whose id begins with `UNRECORDABLE`."""
    database = store._database
    with database.write() as connection:
        connection.exec_driver_sql(_REFUSE_SQLITE if database.is_sqlite else _REFUSE_POSTGRESQL)
