"""Replaying dead letters: the same steps and the same commit as for any event, in a plain loop."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, replace

from featurestore.contracts.block import Block, Documents
from featurestore.contracts.decoder import Decoder
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.stream import Stream
from featurestore.storage.dead_letters import DeadLetter, DeadLetters
from featurestore.storage.keys import view_name, watermarks_key
from featurestore.storage.replays import Replays, Taken
from featurestore.storage.wires import Wires
from flows.frontier import UNKNOWN, Frontier
from flows.look_ups import LookUps
from flows.steps import Chunk, Judge, decode
from flows.summary import Summary
from flows.writer import Writer

Mend = Callable[[DeadLetter], bytes | None]
PAGE = 1000


@dataclass(frozen=True)
class Replay:
    """Replays dead letters of one stream.

    Attributes:
        catalog: The definitions.
        stream: The stream.
        url: The store.
        clock: Returns the wall clock in microseconds UTC.
    """

    catalog: Catalog
    stream: Stream
    url: str
    clock: Callable[[], int]

    def run(self, chosen: Callable[[DeadLetter], bool], mend: Mend) -> Summary:
        """Finish what an earlier replay left, then replay the letters chosen.

        A letter counts once, however often this is killed and done again. One that is rejected
        again stays a dead letter, with the new reason.

        Args:
            chosen: Tells which letters.
            mend: Returns the event as it is to be read, None to leave the letter where it is.
        """
        summary = Summary()
        with closing(Replays(self.url, self.stream.name)) as replays:
            for number, views in replays.unfinished().items():
                self._commit(replays, number, views, summary)
            number = replays.begin()
            views = [view_name(view) for view in self.catalog.views_of(self.stream.name)]
            if self._take(replays, number, views, self._mended(chosen, mend)):
                self._commit(replays, number, views, summary)
        return summary

    def _mended(
        self, chosen: Callable[[DeadLetter], bool], mend: Mend
    ) -> Iterable[Mapping[str, bytes]]:
        with closing(DeadLetters(self.url)) as letters:
            for page in letters.pages(self.stream.name):
                mended = {letter.id: mend(letter) for letter in page if chosen(letter)}
                yield {name: raw for name, raw in mended.items() if raw is not None}

    def _take(
        self,
        replays: Replays,
        number: int,
        views: list[str],
        pages: Iterable[Mapping[str, bytes]],
    ) -> int:
        return sum(replays.take(number, letters, views) for letters in pages if letters)

    def _commit(self, replays: Replays, number: int, views: list[str], summary: Summary) -> None:
        """Commit the letters of a replay to the views it was begun for."""
        catalog = self.catalog.of_views(lambda view: view_name(view) in views)
        partition = f"dead-letters/{number}"
        writer = Writer(catalog, self.url, self.clock, summary=summary)
        with closing(writer):
            after, _ = writer.take_over({self.stream.name: [partition]})[
                self.stream.name, partition
            ]
            read = after or 0
            decoder = Decoder(self.stream, references=LookUps.of(self.stream, writer.rows))
            while letters := replays.letters(number, read, PAGE):
                writer.add(self._chunk(catalog, decoder, letters, partition, writer))
                read = letters[-1].number
            writer.finish()
            replays.end(number)
            writer.release(self.stream.name, partition)

    def _chunk(
        self,
        catalog: Catalog,
        decoder: Decoder,
        letters: list[Taken],
        partition: str,
        writer: Writer,
    ) -> Chunk:
        numbers = [letter.number for letter in letters]
        documents = Documents([letter.raw for letter in letters], numbers)
        block = Block(self.stream.name, partition, documents, numbers[-1], self.clock())
        horizon = max((v.horizon_us for v in catalog.views_of(self.stream.name)), default=2**60)
        judge, past = Judge(self.stream, horizon), writer.pasts[self.stream.name, partition]
        frontier = self._frontier({letter.partition for letter in letters})
        chunk = decode(block, decoder, judge, frontier, past)
        places = {letter.number: (letter.partition, letter.offset) for letter in letters}
        return replace(chunk, places=places)

    def _frontier(self, partitions: AbstractSet[str]) -> Frontier:
        """Return how far the slowest of some partitions has come: what letters are judged by.

        The letters themselves move it only by what a batch of neighbours agrees on.
        """
        key = watermarks_key(self.stream.name)
        with closing(Wires(self.url)) as wires:
            found = wires.of(key).ask(b"HGETALL", key)
        assert isinstance(found, list)
        ends = tuple(f"/{partition}" for partition in partitions)
        marks = [
            Frontier.decode(mark.decode().partition(" ")[2])
            for name, mark in zip(found[::2], found[1::2], strict=True)
            if f"/{name.decode()}".endswith(ends)
        ]
        reached = [mark.reached_us for mark in marks if mark.reached_us > UNKNOWN]
        return Frontier(min(reached)) if reached else Frontier()
