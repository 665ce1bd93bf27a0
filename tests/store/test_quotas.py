"""How many alarms a project, or a user, may have (alarms 23)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.errors import OverQuota
from pipeline.store.quotas import QuotaDefaults
from pipeline.store.sql import SqlStore

from builders import an_alarm

NONE = QuotaDefaults()


def make(store: SqlStore, user_id: str, project_id: str = "p-1", **quotas: int) -> None:
    alarm = an_alarm(user_id=user_id, project_id=project_id)
    store.create(alarm, quotas=QuotaDefaults(**quotas))


def test_a_projects_own_quota_counts_the_projects_alarms(store: SqlStore) -> None:
    assert store.quotas("p-1") == {}
    assert store.set_quotas("p-1", {"alarms": 2}) == {"alarms": 2}
    make(store, "u-1")
    make(store, "u-2")
    make(store, "u-1", "p-2")
    with pytest.raises(OverQuota) as raised:
        make(store, "u-3")
    assert str(raised.value) == "Alarm quota exceeded for user u-3 on project p-1"
    assert len(store.search({"project_id": "p-1"})) == 2
    assert store.set_quotas("p-1", {"alarms": -1}) == {"alarms": -1}
    make(store, "u-3", project=0)


def test_defaults_hold_where_a_project_has_no_quota(store: SqlStore) -> None:
    make(store, "u-1", "p-1")
    for user_id, project_id in (("u-2", "p-1"), ("u-1", "p-2")):
        with pytest.raises(OverQuota):
            make(store, user_id, project_id, user=1, project=1)
    store.set_quotas("p-1", {"alarms": 5})
    make(store, "u-2", project=1)
    store.delete_quotas("p-1")
    store.delete_quotas("p-1")
    with pytest.raises(OverQuota):
        make(store, "u-3", project=1)


def test_what_belongs_to_nobody_has_no_quota_by_default(store: SqlStore) -> None:
    for _ in range(3):
        make(store, "", "", user=1, project=1)
    assert len(store.search()) == 3


def test_several_are_made_within_the_quota_or_none(store: SqlStore) -> None:
    alarms = [an_alarm(project_id="p-1") for _ in range(3)]
    with pytest.raises(OverQuota):
        store.create_many(alarms, quotas=QuotaDefaults(project=2))
    assert store.search() == []
    assert store.create_many(alarms, quotas=QuotaDefaults(project=3)) == 3


def test_an_alarm_does_not_move_into_a_full_project(store: SqlStore) -> None:
    store.set_quotas("p-2", {"alarms": 0})
    moved = store.create(an_alarm(alarm_id="a", project_id="p-1"))
    with pytest.raises(OverQuota):
        store.update(an_alarm(alarm_id="a", project_id="p-2"), quotas=NONE)
    assert store.get("a") == moved
    store.set_quotas("p-1", {"alarms": 0})
    assert store.update(an_alarm(alarm_id="a", project_id="p-1", name="new"), quotas=NONE)


def test_those_who_create_at_once_do_not_pass_the_quota_together(store: SqlStore) -> None:
    store.set_quotas("p-1", {"alarms": 5})

    def create(_: int) -> bool:
        try:
            store.create(an_alarm(project_id="p-1"), quotas=NONE)
        except OverQuota:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(24)))
    assert sum(made) == len(store.search()) == 5
