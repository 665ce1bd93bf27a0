"""The RabbitMQ listener: oslo notifications off their queues, acknowledged once committed.

    listener.py     connects, works off batches, comes back after whatever happens
    consumer.py     one connection's life: deliveries in, batches out, acknowledgements back
    deliveries.py   bytes off the connection → deliveries, the rest to pika
    backlog.py      what is decided and not acknowledged yet, one commit after the other
    topology.py     finds the queues and declares what is missing, without harm to publishers
    refusals.py     what the broker's refusals mean, and which setting mends them
    connection.py   URL and settings → an open connection
    timestamps.py   header values on which pika would give up
    settings.py     what an operator can set

The composition root makes one `RabbitmqListener` per broker URL, each run in its own thread.
"""

from pipeline.listeners.rabbitmq.listener import RabbitmqListener
from pipeline.listeners.rabbitmq.settings import RabbitmqSettings

__all__ = ["RabbitmqListener", "RabbitmqSettings"]
