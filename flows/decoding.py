"""The decode step of one stream: blocks in, chunks out. A plain object, no engine, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

from featurestore.contracts.block import Block
from featurestore.contracts.decoder import Decoder
from featurestore.contracts.reference_table import References
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.stream import Stream
from featurestore.errors import UnknownName
from flows.frontier import Frontier
from flows.past import Past
from flows.steps import Chunk, Judge, decode
from flows.watermarks import Positions

Item = Chunk | None  # None: nothing came, but time passed


@dataclass(frozen=True)
class Decode:
    """The decode step of one stream; keeps the frontier of each partition."""

    decoder: Decoder
    judge: Judge
    frontiers: dict[str, Frontier]
    pasts: Mapping[tuple[str, str], Past]

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        stream: Stream,
        positions: Positions,
        pasts: Mapping[tuple[str, str], Past],
        references: References,
    ) -> "Decode":
        """Make the step for a stream; `references` are what it looks events up in."""
        horizon = max((v.horizon_us for v in catalog.views_of(stream.name)), default=2**60)
        frontiers = {p: frontier for (s, p), (_, frontier) in positions.items() if s == stream.name}
        decoder = Decoder(stream, catalog.columns_used(stream), references)
        return cls(decoder, Judge(stream, horizon), frontiers, pasts)

    def __call__(self, block: Block) -> Item:
        """Decode a block.

        Raises:
            UnknownName: It is not of this stream, or of none of its partitions.
        """
        if block.events is None:
            return None
        if block.stream != self.judge.stream.name:
            raise UnknownName("stream", block.stream, [self.judge.stream.name])  # noqa: EM101
        if block.partition not in self.frontiers:
            raise UnknownName("partition", block.partition, self.frontiers)  # noqa: EM101
        past = self.pasts[block.stream, block.partition]
        chunk = decode(block, self.decoder, self.judge, self.frontiers[block.partition], past)
        self.frontiers[block.partition] = chunk.frontier
        return chunk
