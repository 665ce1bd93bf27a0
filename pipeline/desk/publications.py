"""Publications at the desk: for who is held to no projects, as they hold everybody's events.

A publisher is named by its URL, or by what is shown of it, without secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.access import Caller, Permission
from pipeline.desk.base import Document, Page, Parts
from pipeline.desk.choices import PublicationsChoice, chosen
from pipeline.desk.events import event_document
from pipeline.desk.paging import one_more, page
from pipeline.errors import InvalidValue
from pipeline.masking import mask_url
from pipeline.registry import did_you_mean
from pipeline.store.base import PublicationRecord
from pipeline.times import plain


class LocalPublications:
    """`desk.kept.Publications`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def search(
        self, publisher: str | None = None, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Publications without their events, the oldest first."""
        self._caller.require_all(Permission.AUDIT)
        of = self._named(publisher) if publisher else None
        found = self._parts.store.publications(of, one_more(limit), marker)
        return page(found, limit, "publication_id", publication_document)

    def find(self, publication_id: str) -> Document:
        """One with its events; a unique beginning of its id is enough."""
        self._caller.require_all(Permission.AUDIT)
        record, kept = self._parts.store.publication(publication_id)
        events = [event_document(event, whole=True) for event in kept.events]
        return {**publication_document(record), "events": events}

    def replay(self, which: Mapping[str, Any]) -> int:
        """Have them tried now; how many."""
        self._caller.require_all(Permission.MANAGE)
        now, store = self._parts.clock(), self._parts.store
        return sum(
            store.replay_publications(now, **each, by=self._caller) for each in self._chosen(which)
        )

    def purge(self, which: Mapping[str, Any]) -> int:
        """Delete them for good, their events too; how many."""
        self._caller.require_all(Permission.MODIFY)
        store = self._parts.store
        return sum(
            store.purge_publications(**each, by=self._caller) for each in self._chosen(which)
        )

    def _chosen(self, which: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Which ones are meant, each as the store is asked for it."""
        asked = chosen(which, PublicationsChoice)
        if "publisher" in asked:
            return [{"publisher": url} for url in self._named(asked["publisher"])]
        if "ids" not in asked:
            return [{}]
        records = [self._parts.store.publication(one)[0] for one in asked["ids"]]
        return [{"publication_id": record.publication_id} for record in records]

    def _named(self, publisher: str) -> list[str]:
        """The publishers that are meant by a URL."""
        waiting = self._parts.store.waiting_publishers()
        named = [url for url in waiting if publisher in {url, mask_url(url)}]
        if not named:
            hint = did_you_mean(publisher, [mask_url(url) for url in waiting])
            raise InvalidValue(f"nothing waits for {mask_url(publisher)}.{hint}", "publisher")
        return named


def publication_document(record: PublicationRecord) -> Document:
    """A publication in a list."""
    return {
        "publication_id": record.publication_id,
        "publisher": mask_url(record.publisher),
        "event_count": record.size,
        "attempt_count": record.attempts,
        "created_at": plain(record.created_at),
        "due_at": plain(record.due_at),
        "error": record.error,
    }
