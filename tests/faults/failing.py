"""Lets PostgreSQL end one transaction on purpose: a serialization failure, or a deadlock.

`prepare` puts a trigger on each table; `fail_once` arms it for the next statement that writes
there, whoever sends it. What is raised is PostgreSQL's own error, with its SQLSTATE.
"""

from __future__ import annotations

from faults.postgresql_server import OwnPostgresql

FAILING_TABLES = ("firing", "delivery", "attempt")
FAILURES = {"serialization failure": "40001", "deadlock": "40P01"}

# What a sequence has given is not undone with the transaction: the second try passes.
_PREPARE = """
CREATE SEQUENCE fail_{table}_{code};
SELECT nextval('fail_{table}_{code}');
CREATE FUNCTION fail_{table}_{code}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF nextval('fail_{table}_{code}') = 1 THEN
    RAISE 'forced by the test' USING ERRCODE = '{sqlstate}';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER fail_{code} AFTER INSERT OR UPDATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION fail_{table}_{code}()
"""


def prepare(postgresql: OwnPostgresql) -> None:
    """Make the triggers, not armed."""
    for table in FAILING_TABLES:
        for sqlstate in FAILURES.values():
            code = sqlstate.lower()
            statement = _PREPARE.format(table=table, code=code, sqlstate=sqlstate)
            postgresql.execute(statement)


def fail_once(postgresql: OwnPostgresql, table: str, failure: str) -> None:
    """Let the next statement that writes to the table end its transaction with this failure."""
    postgresql.execute(f"SELECT setval('{_sequence(table, failure)}', 1, false)")


def failed(postgresql: OwnPostgresql, table: str, failure: str) -> bool:
    """Whether what `fail_once` announced has happened."""
    ((called,),) = postgresql.execute(f"SELECT is_called FROM {_sequence(table, failure)}")
    return bool(called)


def _sequence(table: str, failure: str) -> str:
    return f"fail_{table}_{FAILURES[failure].lower()}"
