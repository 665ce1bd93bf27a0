"""The bus listener: messages from whatever kombu can speak to, acknowledged once committed.

    listener.py     connects, works off batches, comes back after whatever happens
    source.py       what the listener needs of a connection, and who gives it
    consumer.py     every transport of kombu's, as kombu consumes it
    redis.py        Redis, without the moment in which kombu holds a message that nobody else has
    folder.py       a folder, likewise
    received.py     what kombu received, or a stranger sent → a `Message`
    connection.py   URL and settings → a connection, and its name without secrets
    settings.py     what an operator can set

For RabbitMQ there is a listener of its own, faster and careful of the services' queues. What each
transport guarantees is in docs/listeners.md.
"""

from pipeline.listeners.bus.listener import BusListener
from pipeline.listeners.bus.settings import BusSettings

__all__ = ["BusListener", "BusSettings"]
