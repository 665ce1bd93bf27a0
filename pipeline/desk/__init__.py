"""The desk: all that people ask of Tocsin, whoever brings it, a command or a request.

    base.py       what may be asked: a protocol for each matter, and for all of them together
    told.py  kept.py  people.py  protocols: who is told what, what is kept, who asks
    local.py      the desk on the database of this machine
    alarms.py     alarms: made, found, changed, deleted; their states and histories
    entries.py    targets, groups, filters and matchers
    quotas.py     how many alarms projects may have
    capabilities.py  what Aodh's API can do here
    targets.py    types of targets; targets tried, and told again
    routes.py     where notifications go, and what matchers can look at
    notifications.py  kinds, templates, and notifications of people's own
    as_code.py    everything as files: applied and exported
    past.py       events and deliveries that a question is about, and whose they are
    trials.py     alarms tried out on events
    kept.py       protocols of what is kept: deliveries, dead letters, rejected events,
                  publications, the archive, the state of the whole
    deliveries.py  rejected.py  publications.py  events.py  status.py    these, carried out
    choices.py    documents that say which ones are meant
    paging.py     parts of lists
    tokens.py     API tokens
    history.py    what people changed

A question has plain values, an answer is a document: what JSON can say, with times as Aodh writes
them and secrets as ***. `pipeline.remote` is the same desk on another machine, which asks
`pipeline.api`, which asks this one: so each matter is carried out in one place, and says who may
do it there (`pipeline.access`).
"""

from pipeline.desk.base import Desk, Document, Page, Parts
from pipeline.desk.local import LocalDesk

__all__ = ["Desk", "Document", "LocalDesk", "Page", "Parts"]
