"""The rows of a view, as the writer sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from featurestore.aggregation.layout import Layout
from featurestore.definitions.view import FeatureView
from featurestore.storage.commands import pack
from featurestore.storage.compactor import Compactor
from featurestore.storage.keys import view_name, view_tag
from featurestore.storage.wire import Reply
from featurestore.storage.wires import Wires
from flows.changes import Change, Gathered, Held, ViewChanges
from flows.expiry import Expiry
from flows.past import Past


@dataclass(frozen=True)
class ViewRows:
    """Changes the rows of a view, and looks after them once they are changed.

    Attributes:
        view: The view.
        layout: Its layout.
        tags: The tags of its shards.
        expiry: When its rows expire.
        compactor: Shortens its rows.
    """

    view: FeatureView
    layout: Layout
    tags: list[bytes]
    expiry: Expiry
    compactor: Compactor

    @classmethod
    def of(cls, view: FeatureView, wires: Wires) -> "ViewRows":
        """Return the rows of a view; `wires` are for looking after them."""
        layout = Layout.of(view)
        tags = [view_tag(view, shard) for shard in range(view.shards)]
        return cls(view, layout, tags, Expiry.of(view), Compactor(wires, layout))

    def changes(
        self,
        gathered: Gathered,
        held: Held,
        pasts: Mapping[str, Past],
        steady_us: int,
    ) -> dict[bytes, Change]:
        """Return what events change, by unit."""
        name = view_name(self.view)
        replayed = {p: past.replayed.get(name, set()) for p, past in pasts.items()}
        due = partial(self.expiry.due, steady_us=steady_us)
        of = ViewChanges(self.layout, self.tags, due, self.expiry.lifetime_ms, replayed)
        return of.of(gathered, held)

    def look_after(self, changes: Sequence[tuple[Change, Sequence[Reply]]]) -> None:
        """Compact the rows that became too long; let those expire that were deleted meanwhile.

        Args:
            changes: What was changed, with the store's replies.

        Cost: that of compacting; a round trip where rows were deleted.
        """
        due: list[bytes] = []
        orphans: list[bytes] = []
        for change, replies in changes:
            lengths = np.array(replies[: len(change.rows)], dtype=np.int64)
            orphan = (lengths == change.sizes) & ~change.expiring
            orphans += change.those(orphan)
            due += change.those(~orphan & self.layout.levels.are_due(lengths, change.sizes))
        self.compactor.step(due)
        self._let_expire(orphans)

    def _let_expire(self, rows: Sequence[bytes]) -> None:
        """Give rows an expiry that were made anew though this flow thought that they have one."""
        lifetime = b"%d" % self.expiry.lifetime_ms
        for wire, places in list(self.compactor.wires.split(rows)) if rows else ():
            wire.send(pack(b"PEXPIRE", rows[place], lifetime, b"NX") for place in places)
            for _ in places:
                wire.read()
