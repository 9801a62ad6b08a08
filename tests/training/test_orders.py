"""Rows of cases: every place is filled, every case comes, and a place is a function of its number alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import pytest

from segue.training.orders import Group, InTurn, Order, Row, Structured, Volume

PARTITIONS = 4


def volume(first: int, *counts: int) -> Volume:
    """Examples numbered from `first` on, so many in each partition."""
    found, start = [], first
    for count in counts:
        found.append(tuple(range(start, start + count)))
        start += count
    return tuple(found)


# A short volume without a middle, and one that has a slice at one end only.
HEARTS = Group(volumes=(volume(0, 3, 2, 3, 2), volume(10, 1, 0, 0, 1), volume(12, 0, 0, 0, 1), volume(13, 2, 2, 2, 2)))
BRAINS = Group(volumes=(volume(30, 5, 5, 5, 5), volume(50, 2, 3, 2, 3)))
FRAMES = Group(frames=tuple(range(70, 77)))
ALL = Structured((HEARTS, BRAINS, FRAMES), PARTITIONS, 5)


def numbers(row: Row, start: int, stop: int) -> list[int]:
    return [row.at(position)[0] for position in range(start, stop)]


def turns(row: Structured, count: int) -> list[list[int]]:
    return [numbers(row, turn * row.partitions, (turn + 1) * row.partitions) for turn in range(count)]


def volume_of(group: Group, number: int) -> int:
    (found,) = (which for which, parts in enumerate(group.volumes) if any(number in part for part in parts))
    return found


def partition_of(group: Group, number: int) -> int:
    (found,) = (which for parts in group.volumes for which, part in enumerate(parts) if number in part)
    return found


def test_no_slot_of_any_batch_is_left_empty() -> None:
    """Whatever the batch's size, and however short volumes are."""
    known = {n for group in ALL.groups for parts in group.volumes for part in parts for n in part} | set(FRAMES.frames)
    for batch in (4, 8, 12, 20):
        for step in range(60):
            found = numbers(ALL, step * batch, (step + 1) * batch)
            assert len(found) == batch
            assert set(found) <= known


def test_datasets_take_turns() -> None:
    owners = [set(range(30)), set(range(30, 70)), set(range(70, 77))]
    for turn, found in enumerate(turns(ALL, 90)):
        assert set(found) <= owners[turn % 3]


def test_so_many_places_are_one_volume_in_the_order_of_its_partitions() -> None:
    for turn, found in enumerate(turns(ALL, 60)):
        if turn % 3 == 2:
            continue
        group = ALL.groups[turn % 3]
        assert len({volume_of(group, number) for number in found}) == 1
        parts = [partition_of(group, number) for number in found]
        assert parts == sorted(parts)
        whole = group.volumes[volume_of(group, found[0])]
        if all(whole):
            assert parts == list(range(PARTITIONS))
        for asked, given in enumerate(parts):
            there = [number for number, part in enumerate(whole) if part]
            assert abs(given - asked) == min(abs(number - asked) for number in there)


def test_a_short_volume_gives_its_nearest_slices() -> None:
    found = {volume_of(HEARTS, one[0]): one for one in turns(Structured((HEARTS,), PARTITIONS, 0), 4)}
    assert found[1] == [10, 10, 11, 11]
    assert found[2] == [12] * 4


def test_every_volume_comes_once_a_pass() -> None:
    row = Structured((HEARTS, BRAINS), PARTITIONS, 1)
    orders = set()
    for number, group in enumerate(row.groups):
        own = [found for turn, found in enumerate(turns(row, 80)) if turn % 2 == number]
        count = len(group.volumes)
        for which in range(len(own) // count):
            seen = [volume_of(group, found[0]) for found in own[which * count : (which + 1) * count]]
            assert sorted(seen) == list(range(count))
            orders.add((number, tuple(seen)))
            # The pass is told with the example.
            place = (which * count * 2 + number) * PARTITIONS
            assert row.at(place)[1] == which
    assert len(orders) > 5  # shuffled anew


def test_every_slice_of_a_partition_is_reached() -> None:
    row = Structured((BRAINS,), PARTITIONS, 0)
    reached = Counter(numbers(row, 0, 400 * PARTITIONS))
    assert set(reached) == set(range(30, 60))
    # Each of a partition as likely as the others: 200 visits of five slices.
    assert all(20 < reached[number] < 65 for number in range(30, 50))


def test_every_frame_comes_once_a_pass() -> None:
    row = Structured((FRAMES, BRAINS), PARTITIONS, 3)
    own = [number for turn, found in enumerate(turns(row, 140)) if turn % 2 == 0 for number in found]
    passes = [own[start : start + 7] for start in range(0, 280, 7)]
    assert all(sorted(one) == list(FRAMES.frames) for one in passes)
    assert len({tuple(one) for one in passes}) > 30


@pytest.mark.parametrize("make", [lambda seed: replace(ALL, seed=seed), lambda seed: Order(9, seed)])
def test_a_place_follows_from_seed_and_number_alone(make: Callable[[int], Row]) -> None:
    row, twin, other = make(5), make(5), make(6)
    forwards = [row.at(position) for position in range(200)]
    backwards = [twin.at(position) for position in reversed(range(200))]
    assert forwards == backwards[::-1]
    assert forwards != [other.at(position) for position in range(200)]
    assert row.seed == 5


def test_two_datasets_alike_are_not_shuffled_alike() -> None:
    twins = Structured((BRAINS, BRAINS), PARTITIONS, 0)
    own = [[volume_of(BRAINS, found[0]) for found in turns(twins, 80)[number::2]] for number in (0, 1)]
    assert own[0] != own[1]


def test_one_partition_is_a_slice_of_each_volume() -> None:
    row = Structured((Group(volumes=(((0, 1, 2),), ((3, 4),))),), 1, 0)
    for pair in zip(*[iter(numbers(row, 0, 40))] * 2, strict=True):
        assert {number > 2 for number in pair} == {True, False}


def test_in_turn() -> None:
    assert [InTurn(3).at(position) for position in range(7)] == [
        (0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2),
    ]  # fmt: skip


def test_orders_are_as_they_always_were() -> None:
    """Numbers from before there were other rows: runs that are not finished go on with the same cases."""
    first, second = [(5, 0), (6, 0), (4, 0), (2, 0), (0, 0), (1, 0), (3, 0)], [(3, 1), (6, 1)]
    assert [Order(7, 3).at(position) for position in range(9)] == [*first, *second]
    balanced = [(0, 0), (1, 0), (3, 0), (4, 0), (5, 0), (1, 1), (2, 0), (4, 1)]
    assert [Order(6, 1, (1, 4), 0.5).at(position) for position in range(8)] == balanced
    passes = list(islice(zip(*[iter(numbers(Order(7, 3), 0, 700))] * 7, strict=True), 100))
    assert all(sorted(one) == list(range(7)) for one in passes)
