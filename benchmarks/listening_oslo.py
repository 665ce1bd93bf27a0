"""A bare oslo.messaging batch listener, which is what Ceilometer and Aodh take events with.

It does nothing with what it gets; oslo.messaging takes it off the broker, decodes it and
acknowledges. Run by `benchmarks.listening` as a process of its own; ends when it is told to.

    python -m benchmarks.listening_oslo TOPIC [quorum]
"""

from __future__ import annotations

import signal
import sys
from typing import Any
from urllib.parse import urlsplit

import oslo_messaging
from oslo_config import cfg

from benchmarks.listening_queue import ACK_EVERY, PREFETCH, URL

_GATHER_SECONDS = 1


class _Idle:
    """An endpoint to which nothing matters."""

    def info(self, messages: list[Any]) -> str:
        return str(oslo_messaging.NotificationResult.HANDLED)


def main() -> None:
    """Listen to `TOPIC.info` until SIGTERM."""
    topic, quorum = sys.argv[1], "quorum" in sys.argv[2:]
    listener = _listener(topic, quorum)
    signals = (signal.SIGTERM, signal.SIGINT)
    # Before its threads are made, which would take the signal otherwise.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    listener.start()
    signal.sigwait(signals)
    listener.stop()
    listener.wait()


def _listener(topic: str, quorum: bool) -> Any:
    conf = cfg.ConfigOpts()
    conf([], project="bench")
    parts = urlsplit(URL)
    transport = oslo_messaging.get_notification_transport(conf, url=_oslo_url(parts))
    settings = {
        # It fetches without bound by default: a queue of a million would come in at once.
        "rabbit_qos_prefetch_count": PREFETCH,
        "amqp_durable_queues": True,
        "rabbit_quorum_queue": quorum,
    }
    for name, value in settings.items():
        conf.set_override(name, value, group="oslo_messaging_rabbit")
    return oslo_messaging.get_batch_notification_listener(
        transport,
        [oslo_messaging.Target(exchange=topic, topic=topic)],
        [_Idle()],
        executor="threading",
        batch_size=ACK_EVERY,
        batch_timeout=_GATHER_SECONDS,
    )


def _oslo_url(parts: Any) -> str:
    return parts._replace(scheme="rabbit", path=parts.path.replace("%2F", "")).geturl()


if __name__ == "__main__":
    main()
