"""Nodes: the shared asyncio connections to a store, one to each of its servers.

1. Whether a store is a cluster is asked once, when it is first reached. To a single server there
   is one connection, and nothing else to do.
2. The topology of a cluster is read anew when a server says MOVED, or does not answer; and again,
   five times a second, until there is a connection to every server in it.
3. Nothing is sent twice: what fails meanwhile fails at once.
"""

import asyncio

from featurestore.errors import StoreError
from featurestore.storage.commands import pack
from featurestore.storage.multiplex import Multiplex
from featurestore.storage.topology import ASK_MAP, ASK_MODE, Topology, cluster_map, is_cluster
from featurestore.storage.wire import Reply

_PAUSE_SECONDS = 0.2


class Nodes:
    """The connections to a store; they belong to the event loop they were started in.

    Args:
        url: Any of its servers.
        deadline: How many seconds an answer may take.

    Attributes:
        one: The connection to that server: the only one, unless it is a cluster.
        topology: Which server holds what; a single server until it is known.
    """

    def __init__(self, url: str, deadline: float) -> None:
        self._url, self._deadline = url, deadline
        self.one, self.topology = Multiplex(url, deadline), Topology([url])
        self._nodes = {url: self.one}
        self._met = False
        self._learning: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; a store that is not there yet is tried again in the background."""
        await self.one.start()
        await self._learn()

    async def stop(self) -> None:
        """Close the connections; what is in flight fails."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)
            self._learning = None
        for node in self._nodes.values():
            await node.stop()

    def at(self, url: str) -> Multiplex:
        """Return the connection to a server that the topology names."""
        return self._nodes[url]

    def failed(self) -> None:
        """Take note that a server did not do what was asked: the topology may have changed."""
        if self._met and not self.topology.is_cluster:
            return
        if self._learning is None or self._learning.done():
            self._learning = asyncio.get_running_loop().create_task(self._relearn())

    async def call(self, key: bytes, commands: bytes, replies: int) -> list[Reply]:
        """Send packed commands to the server that holds a key; return their replies.

        Raises:
            StoreUnreachable: There is no connection, or it broke.
            StoreRefused: One of them is an error.
        """
        try:
            return await self.at(self.topology.url_of(key)).call(commands, replies)
        except StoreError:
            self.failed()
            raise

    async def ping(self) -> None:
        """Raise `StoreError` unless some server answers."""
        for node in [node for node in self._nodes.values() if node.connected] or [self.one]:
            try:
                await node.call(pack(b"PING"), 1)
            except StoreError as error:
                cause = error
            else:
                return
        raise cause

    async def _relearn(self) -> None:
        await self._learn()
        await asyncio.sleep(_PAUSE_SECONDS)
        while not all(self._nodes[url].connected for url in self.topology.urls):
            await self._learn()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _learn(self) -> None:
        """Ask the first server that answers."""
        for node in [node for node in self._nodes.values() if node.connected]:
            try:
                (mode,) = await node.call(ASK_MODE, 1)
                if is_cluster(mode):
                    (found,) = await node.call(ASK_MAP, 1)
                    await self._adopt(cluster_map(node.url, found))
            except StoreError:
                continue
            self._met = True
            return

    async def _adopt(self, found: Topology) -> None:
        """Connect to servers that are new, then go by the new topology, then let the others go."""
        new = {u: Multiplex(u, self._deadline) for u in found.urls if u not in self._nodes}
        await asyncio.gather(*(node.start() for node in new.values()))
        self._nodes |= new
        self.topology = found
        for url in self._nodes.keys() - {self._url, *found.urls}:
            await self._nodes.pop(url).stop()
