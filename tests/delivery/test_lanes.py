"""No receiver takes all the threads (delivery 8)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.dispatch import receiver
from pipeline.lanes import Claimed, Lanes

from builders import NOON, a_delivery


def _claimed(*hosts: str) -> list[Claimed]:
    return [Claimed(a_delivery(f"https://{host}/hook"), NOON) for host in hosts]


def _begun(lanes: Lanes) -> list[Claimed]:
    return list(iter(lanes.begin, None))


def _hosts(begun: list[Claimed]) -> list[str]:
    return [receiver(one.delivery.action).removeprefix("https://") for one in begun]


def test_one_receiver_gets_its_share_and_the_next_gets_the_rest() -> None:
    lanes = Lanes(threads=4, per_receiver=2)
    lanes.add(_claimed("a", "a", "a", "a", "b"))

    assert sorted(_hosts(_begun(lanes))) == ["a", "a", "b"]
    assert lanes.free == 1


def test_what_waits_goes_when_one_before_it_has_ended() -> None:
    lanes = Lanes(threads=4, per_receiver=1)
    first, second = _claimed("a", "a")
    lanes.add([first, second])
    assert lanes.begin() == first

    assert lanes.begin() is None
    lanes.end(first.delivery)
    assert lanes.begin() == second


def test_receivers_take_turns_when_threads_are_few() -> None:
    lanes = Lanes(threads=1, per_receiver=1)
    lanes.add(_claimed("a", "a", "b"))
    order = []
    while begun := lanes.begin():
        order += _hosts([begun])
        lanes.end(begun.delivery)

    assert order == ["a", "b", "a"]


def test_a_receiver_is_busy_while_it_is_full_or_something_waits_for_it() -> None:
    lanes = Lanes(threads=4, per_receiver=1)
    first, second = _claimed("a", "a")
    lanes.add([first, second])
    lanes.begin()
    lanes.end(first.delivery)

    assert lanes.busy == {"https://a"}
    lanes.begin()
    assert lanes.busy == {"https://a"}
    lanes.end(second.delivery)
    assert lanes.busy == set()


def test_a_lane_that_runs_dry_is_stocked_with_more_and_one_that_hangs_is_not() -> None:
    lanes = Lanes(threads=3, per_receiver=1)
    stocks = []
    for _ in range(6):
        stocks.append(lanes.wanted)
        lanes.add(_claimed("hanging", *["fast"] * stocks[-1]))
        while begun := lanes.begin():
            if receiver(begun.delivery.action) == "https://fast":
                lanes.end(begun.delivery)

    assert stocks == [3, 4, 16, 64, 256, 512]
    assert lanes.busy == {"https://hanging"}


def test_a_stocked_lane_is_busy_until_half_of_it_is_left() -> None:
    lanes = Lanes(threads=4, per_receiver=1)
    (first,) = _claimed("a")
    lanes.add([first])
    lanes.begin()
    lanes.end(first.delivery)
    lanes.add(_claimed("a", "a", "a", "a"))
    busy = []
    while begun := lanes.begin():
        busy.append(bool(lanes.busy))
        lanes.end(begun.delivery)

    assert busy == [True, True, False, False]


def test_what_waits_can_be_taken_out() -> None:
    lanes = Lanes(threads=1, per_receiver=1)
    waiting = _claimed("a", "b")
    lanes.add(waiting)

    assert lanes.clear() == [one.delivery for one in waiting]
    assert (lanes.begin(), lanes.busy) == (None, set())


@given(
    threads=st.integers(1, 6),
    per_receiver=st.integers(1, 6),
    steps=st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=8),
)
def test_bounds_hold_and_everything_is_begun_once_in_order(
    threads: int, per_receiver: int, steps: list[list[str]]
) -> None:
    lanes = Lanes(threads, per_receiver)
    added: list[Claimed] = []
    begun: list[Claimed] = []
    flying: list[Claimed] = []
    for hosts in [*steps, *[[]] * 70]:
        new = _claimed(*hosts)
        added += new
        lanes.add(new)
        started = _begun(lanes)
        begun += started
        flying += started

        assert len(flying) == lanes.in_flight <= threads
        assert all(n <= per_receiver for n in Counter(_hosts(flying)).values())
        if flying:
            lanes.end(flying.pop(0).delivery)

    assert len(begun) == len(added)
    for host in "abc":
        sent = [one for one in begun if _hosts([one]) == [host]]
        assert sent == [one for one in added if _hosts([one]) == [host]]
