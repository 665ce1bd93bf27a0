"""The replay listener: messages that were captured, from files and pipes.

    listener.py   lines → batches of messages for the worker; counts, progress bar
    lines.py      a file or pipe → its lines, unzipped, without waiting unheard

The composition root makes one `ReplayListener` for `tocsin replay` and `tocsin demo`.
"""

from pipeline.listeners.replay.listener import Replayed, ReplayListener

__all__ = ["ReplayListener", "Replayed"]
