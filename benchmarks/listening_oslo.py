"""A bare oslo.messaging batch listener, which is what Ceilometer and Aodh take events with.

It does nothing with what it gets but count; oslo.messaging takes it off the broker, decodes it and
acknowledges. Run by `benchmarks.listening` as a process of its own. By default oslo.messaging
fetches without bound (with a bound it waits for its own acknowledgements), so the queue is empty
long before the work is done: it measures itself, from the first message to the last, and prints
the seconds and the CPU seconds.

    python -m benchmarks.listening_oslo TOPIC MESSAGES classic|quorum
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import oslo_messaging
from oslo_config import cfg

from benchmarks.listening_queue import ACK_EVERY, URL

_GATHER_SECONDS = 1
_DEADLINE_SECONDS = 120


class _Counting:
    """An endpoint to which nothing matters but how many messages there were."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()
        self.first: tuple[float, float] | None = None
        self.last = (0.0, 0.0)
        self.done = threading.Event()

    def info(self, messages: list[Any]) -> str:
        now = time.perf_counter(), time.process_time()
        with self._lock:
            self.first = self.first or now
            self._left -= len(messages)
            if self._left <= 0:
                self.last = now
                self.done.set()
        return str(oslo_messaging.NotificationResult.HANDLED)


def main() -> None:
    """Listen to `TOPIC.info` until so many messages have come."""
    topic, count, queue_type = sys.argv[1:4]
    counting = _Counting(int(count))
    listener = _listener(topic, queue_type == "quorum", counting)
    listener.start()
    if not counting.done.wait(_DEADLINE_SECONDS) or counting.first is None:
        raise TimeoutError(f"not all of {count} messages came in {_DEADLINE_SECONDS} s")
    listener.stop()
    listener.wait()
    print(*(last - first for first, last in zip(counting.first, counting.last, strict=True)))


def _listener(topic: str, quorum: bool, endpoint: _Counting) -> Any:
    conf = cfg.ConfigOpts()
    conf([], project="bench")
    parts = urlsplit(URL)
    transport = oslo_messaging.get_notification_transport(conf, url=_oslo_url(parts))
    settings = {
        "amqp_durable_queues": True,
        "rabbit_quorum_queue": quorum,
    }
    for name, value in settings.items():
        conf.set_override(name, value, group="oslo_messaging_rabbit")
    return oslo_messaging.get_batch_notification_listener(
        transport,
        [oslo_messaging.Target(exchange=topic, topic=topic)],
        [endpoint],
        executor="threading",
        batch_size=ACK_EVERY,
        batch_timeout=_GATHER_SECONDS,
    )


def _oslo_url(parts: Any) -> str:
    return parts._replace(scheme="rabbit", path=parts.path.replace("%2F", "")).geturl()


if __name__ == "__main__":
    main()
