"""Takes messages off Redis lists so that at every moment Redis has them.

kombu pops a message and writes it down as unacknowledged *afterwards*: a process that is killed in
between, or while a reply waits in its socket, loses it. Here one script does both, for a whole
batch at once. What it writes is what kombu writes (`unacked`, `unacked_index`), so that listeners
and kombu's own consumers give each other's messages back: whoever is alive returns to the queues
what was claimed longer ago than the visibility timeout. A listener renews its claims while it
commits.

Scripts are given whole keys, prefix included: kombu's client adds the prefix to other commands
only.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from kombu import Connection

from pipeline.listeners.base import Message
from pipeline.listeners.bus import received
from pipeline.listeners.bus.consumer import declare
from pipeline.listeners.bus.settings import BusSettings
from pipeline.listeners.bus.source import Batch, ask_again, gather, wait_for

_RESTORE_EVERY_SECONDS = 2.0
_RESTORED_AT_ONCE = 1000

# KEYS: index, unacked, lists. ARGV: now, how many, prefix of tags, each list's queue, encoding.
# What has no envelope of kombu's is given one, with its bytes as Latin-1 (`received.read`): who
# gives it back expects one, reads text, and loses what lacks a part. Where the doubt falls on one
# that kombu made, no harm is done.
_TAKE = """
local function is_kombus(raw)
  local read, value = pcall(cjson.decode, raw)
  local properties = read and type(value) == 'table' and value.properties
  return type(properties) == 'table' and type(properties.delivery_info) == 'table'
    and properties.delivery_tag and value.body and type(value.headers) == 'table'
    and not raw:find('"headers"%s*:%s*%[') and not raw:find('"delivery_info"%s*:%s*%[')
end
local function in_latin_1(byte)
  local code = byte:byte()
  return string.char(code < 192 and 194 or 195, code < 192 and code or code - 64)
end
local taken, count, most = {}, 0, tonumber(ARGV[2])
for list = 3, #KEYS do
  while count < most do
    local raw = redis.call('RPOP', KEYS[list])
    if not raw then break end
    count = count + 1
    local tag, queue, kept = ARGV[3] .. count, ARGV[list + 1], raw
    if not is_kombus(raw) then
      local text = raw:gsub('[\\128-\\255]', in_latin_1)
      kept = cjson.encode({body = text, headers = {}, properties = {delivery_tag = tag,
        delivery_info = {}, priority = 0, body_encoding = ARGV[#KEYS + 2]}})
    end
    redis.call('ZADD', KEYS[1], ARGV[1], tag)
    redis.call('HSET', KEYS[2], tag, '[' .. kept .. ',"",' .. cjson.encode(queue) .. ']')
    table.insert(taken, {tag, queue, raw})
  end
end
return taken
"""

# KEYS: lists.
_COUNT = """
local counts = {}
for list = 1, #KEYS do
  counts[list] = redis.call('LLEN', KEYS[list])
end
return counts
"""

# KEYS: index, unacked. ARGV: tags.
_ACKNOWLEDGE = """
for i = 1, #ARGV do
  redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('HDEL', KEYS[2], ARGV[i])
end
"""

# KEYS: index. ARGV: now, tags.
_RENEW = """
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', ARGV[1], ARGV[i]) end
"""


class RedisSource:
    """A `Source` over Redis lists as kombu fills them."""

    def __init__(
        self, connection: Connection, settings: BusSettings, name: str, beat: Callable[[], object]
    ) -> None:
        self._beat = beat
        self._settings, self._name = settings, name
        self._channel: Any = connection.channel()
        declare(self._channel, settings)
        prefix = self._channel.global_keyprefix
        self._index = prefix + self._channel.unacked_index_key
        self._unacked = prefix + self._channel.unacked_key
        self._lists = [
            (prefix + self._channel._q_for_pri(queue, priority), queue)
            for priority in self._channel.priority_steps
            for queue in settings.queues
        ]
        self._batch = Batch([], [])
        self._restore_at = 0.0

    def next_batch(self) -> Batch | None:
        """What has come in, up to the batch size. None when nothing came within a tick."""
        self._restore()
        self._batch = Batch([], [])
        gather(self._settings, self._receive, 0)
        return self._batch if self._batch.tags else None

    def acknowledge(self, batch: Batch) -> None:
        """Let Redis forget the batch."""
        self._run(_ACKNOWLEDGE, [self._index, self._unacked], batch.tags)
        self._batch = Batch([], [])

    def stay_alive_until(self, outcome: Future[None]) -> None:
        """Renew the claims while the commit goes on; raises what the commit raised."""
        wait_for(outcome, self._settings.visibility_timeout_seconds / 3, self._renew, self._beat)

    def waiting(self) -> Mapping[str, int]:
        """How many messages wait in each queue, of all priorities."""
        counts = Counter[str]()
        keys = [key for key, _ in self._lists]
        for (_, queue), count in zip(self._lists, self._run(_COUNT, keys, []), strict=True):
            counts[queue] += count
        return counts

    def close(self) -> None:
        """Give back what was taken and not acknowledged: the first of it will be next."""
        for tag in reversed(self._batch.tags):
            self._channel.qos.restore_by_tag(tag, leftmost=False)
        self._batch = Batch([], [])
        self._channel.close()

    def _receive(self, seconds: float, most: int) -> int:
        """Take what comes within the time; how many that were."""
        taken = ask_again(lambda: self._take(most), seconds, self._settings.poll_seconds)
        for tag, queue, raw in taken:
            self._batch.messages.append(self._message(raw, queue.decode()))
            self._batch.tags.append(tag)
        return len(taken)

    def _take(self, most: int) -> Sequence[Any]:
        # Another queue goes first each time, so that none of them waits for ever.
        self._lists = _turned(self._lists, len(self._settings.queues))
        keys = [self._index, self._unacked, *(key for key, _ in self._lists)]
        prefix = f"{uuid.uuid4()}:"
        queues_of_lists = (queue for _, queue in self._lists)
        arguments = [time.time(), most, prefix, *queues_of_lists, received.AS_IT_WAS]
        taken: Sequence[Any] = self._run(_TAKE, keys, arguments)
        return taken

    def _renew(self) -> None:
        self._run(_RENEW, [self._index], [time.time(), *self._batch.tags])

    def _restore(self) -> None:
        """Return to the queues what listeners that died had taken."""
        if time.monotonic() >= self._restore_at:
            self._restore_at = time.monotonic() + _RESTORE_EVERY_SECONDS
            self._channel.qos.restore_visible(num=_RESTORED_AT_ONCE, interval=1)

    def _message(self, raw: bytes, queue: str) -> Message:
        return received.read(raw, f"{self._name} {queue}")

    def _run(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        with self._channel.conn_or_acquire() as client:
            return client.eval(script, len(keys), *keys, *arguments)


def _turned(lists: list[tuple[str, str]], queues: int) -> list[tuple[str, str]]:
    """The same lists, each priority's turned by one; priorities stay in their order."""
    turned = []
    for start in range(0, len(lists), queues):
        group = lists[start : start + queues]
        turned += [*group[1:], group[0]]
    return turned
