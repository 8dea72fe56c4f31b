"""An entity: what features are about, named by one key or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from featurestore.definitions.problems import is_list, report, require


@dataclass(frozen=True)
class Entity:
    """A thing in the world that features describe: a user, a merchant, a route.

    Args:
        name: Its name.
        keys: The columns that together name one of them, in this order.

    Raises:
        DefinitionError: There are no keys, or one stands twice.

    >>> Entity("route", keys=["origin", "dest"])
    Entity(name='route', keys=('origin', 'dest'))
    """

    name: str
    keys: Sequence[str]

    def __post_init__(self) -> None:
        keys: Any = (self.keys,) if isinstance(self.keys, str) else self.keys
        named = f"keys must be a list of names of columns, got {keys!r}"
        require(f"entity {self.name!r}", {named: is_list(keys, str)})
        keys = tuple(keys)
        object.__setattr__(self, "keys", keys)
        report(list(self._problems()))

    def _problems(self) -> list[str]:
        where = f"entity {self.name!r}"
        problems = [] if self.keys else [f"{where}: it has no keys; name at least one column"]
        twice = sorted({key for key in self.keys if list(self.keys).count(key) > 1})
        return problems + [f"{where}: key {key!r} stands twice" for key in twice]
