"""Buckets: the alarms of one project that watch one event type (or one glob of it).

There may be a million buckets, most of them with a handful of alarms of one shape, so a bucket is
no more than a node, and from the second shape on one node a shape.

Called by `pipeline.alarms.index.index`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pipeline.alarms.index import node as nodes
from pipeline.alarms.index.node import Node
from pipeline.alarms.index.shape import ALARM_ID, SHAPE, Row, Shape
from pipeline.event import Event

Bucket: TypeAlias = Node | dict[int, Node]
"""The node of the only shape, or shape number → node."""

Shapes: TypeAlias = Mapping[int, Shape]


def with_row(bucket: Bucket | None, row: Row, shapes: Shapes) -> Bucket:
    """The bucket with one row more."""
    if bucket is None:
        return row
    number = row[SHAPE]
    if not isinstance(bucket, dict):
        only = nodes.shape_number(bucket)
        if only == number:
            return nodes.with_row(bucket, row, shapes[number])
        bucket = {only: bucket}
    bucket[number] = nodes.with_row(bucket.get(number), row, shapes[number])
    return bucket


def without_row(bucket: Bucket, row: Row) -> Bucket | None:
    """The bucket with one row fewer, None when that was the last."""
    if not isinstance(bucket, dict):
        return nodes.without_row(bucket, row)
    node = nodes.without_row(bucket[row[SHAPE]], row)
    if node is None:
        del bucket[row[SHAPE]]
    else:
        bucket[row[SHAPE]] = node
    return bucket or None


def search(bucket: Bucket, event: Event, shapes: Shapes, out: list[str]) -> None:
    """Add to `out` the ids of the alarms whose query the event meets."""
    if isinstance(bucket, dict):
        for number, node in bucket.items():
            if isinstance(node, tuple):
                # The common case without a call more.
                if shapes[number].one(event, node):
                    out.append(node[ALARM_ID])
            else:
                nodes.search(node, event, shapes[number], out)
    else:
        nodes.search(bucket, event, shapes[nodes.shape_number(bucket)], out)


def most_scanned(bucket: Bucket) -> int:
    """How many rows the most expensive event would meet."""
    if isinstance(bucket, dict):
        return sum(map(nodes.most_scanned, bucket.values()))
    return nodes.most_scanned(bucket)
