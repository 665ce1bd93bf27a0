"""Deliveries that wait for a time which only a clock that has been set back since made far.

All times of a delivery come from the clocks of the machines. One that was ahead, as at a boot
before it is set, leaves deliveries that are due when the clock has come so far again. They are
known by what stands beside the due time: made, tried or leased in what is the future now.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exists, update

from pipeline.retry import LATEST_LOOK
from pipeline.store import schema
from pipeline.store.sql.arrivals import announce_deliveries
from pipeline.store.sql.part import Part

_LEASE_SLACK = timedelta(minutes=1)
"""Machines agree on the time as well as this: a lease that ends later was not given today."""

_delivery, _attempt = schema.delivery.c, schema.attempt.c


class SqlClock(Part):
    """`store.base.Outbox.bring_forward`."""

    def bring_forward(self, lease: timedelta, now: datetime) -> int:
        """Make due now what only a clock that was ahead has put off; how many."""
        leased = _delivery.lease != ""
        tried_later = exists().where(
            _attempt.delivery_id == _delivery.delivery_id, _attempt.started_at > now
        )
        # A look that finds nothing new is not recorded as tried; yet the next is never far off.
        looked_later = _delivery.in_progress_since.is_not(None) & (
            _delivery.due_at > now + LATEST_LOOK + _LEASE_SLACK
        )
        put_off = (leased & (_delivery.due_at > now + lease + _LEASE_SLACK)) | (
            ~leased & ((_delivery.created_at > now) | tried_later | looked_later)
        )
        these = (_delivery.state == "pending") & (_delivery.due_at > now) & put_off
        with self._database.write() as connection:
            done = connection.execute(
                update(schema.delivery).where(these).values(due_at=now, lease="")
            )
            if done.rowcount:
                announce_deliveries(connection)
        return int(done.rowcount)
