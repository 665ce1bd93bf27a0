"""Apprise, by its plugin for JSON over HTTP: every part of the URL is a secret to us."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from pipeline.receiver import Receiver

from targets import scenes
from targets.contract import SECRET, Contract, Options


def _options(url: str) -> Options:
    scheme, _, rest = url.partition("://")
    there = f"{'jsons' if scheme == 'https' else 'json'}://user:{SECRET}@{rest}/{SECRET}"
    return {"urls": [f"{there}?+X-Token={SECRET}"]}


@contextmanager
def _works() -> Iterator[Options]:
    with Receiver() as receiver:
        yield _options(receiver.url)


def _at(scene: str) -> Callable[[], AbstractContextManager[Options]]:
    @contextmanager
    def elsewhere() -> Iterator[Options]:
        with scenes.HTTP[scene]() as url:
            yield _options(url)

    return elsewhere


CONTRACT = Contract(
    scenes={"works": _works, **{name: _at(name) for name in scenes.HTTP}},
    actions=(f"json://user:{SECRET}@127.0.0.1/{SECRET}", f"ntfys://{SECRET}@ntfy.example/topic"),
)
