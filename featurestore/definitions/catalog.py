"""A catalog: everything defined in one module, checked together."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from featurestore.definitions.columns_used import columns_of
from featurestore.definitions.entity import Entity
from featurestore.definitions.foreign import Foreign, is_own, own_frames
from featurestore.definitions.latest import Latest
from featurestore.definitions.problems import gathering
from featurestore.definitions.service import FeatureService
from featurestore.definitions.stream import Stream
from featurestore.definitions.view import FeatureView
from featurestore.errors import DefinitionError, UnknownName

Named = TypeVar("Named", Stream, Entity, FeatureView, FeatureService, Latest)

_SAFE_PATH = "PYTHONSAFEPATH"  # leaves the working directory out of the path
_looked_in: list[str] = []  # folders of definitions, put into the path here


@dataclass(frozen=True)
class Catalog:
    """Streams, entities, views and services by name.

    Made by `load` from a module, or by `Catalog.of` from the definitions themselves.

    Attributes:
        streams: The streams, those that others are looked up in among them.
        entities: The entities.
        views: The views, as users defined them.
        services: The services.
        latest: What events are looked up in of other streams; each has a view of its own.
    """

    streams: Mapping[str, Stream]
    entities: Mapping[str, Entity]
    views: Mapping[str, FeatureView]
    services: Mapping[str, FeatureService]
    latest: Mapping[str, Latest] = field(default_factory=dict)

    @classmethod
    def of(cls, definitions: Iterable[object]) -> "Catalog":
        """Gather definitions, and all that they refer to.

        Raises:
            DefinitionError: Two different ones of a kind have one name.
        """
        given = list(definitions)
        services = [d for d in given if isinstance(d, FeatureService)]
        services += [inner for service in services for inner in service.services]
        views = [d for d in given if isinstance(d, FeatureView)]
        views += [view for service in services for view in service.views]
        streams = [d for d in given if isinstance(d, Stream)] + [view.stream for view in views]
        latest = [d for d in given if isinstance(d, Latest)]
        streams += [each.stream for each in latest]
        latest += [each for stream in streams for each in _looked_up(stream)]
        streams += [each.stream for each in latest]
        entities = [d for d in given if isinstance(d, Entity)] + [view.entity for view in views]
        problems: list[str] = []
        catalog = cls(
            _by_name("stream", streams, problems),
            _by_name("entity", dict.fromkeys(entities), problems),  # the same may be written again
            _by_name("view", views, problems),
            _by_name("service", services, problems),
            _by_name("latest", latest, problems),
        )
        problems += [
            f"view {each.view.name!r} is what keeps {each.title}; rename yours"
            for each in catalog.latest.values()
            if each.view.name in catalog.views
        ]
        if problems:
            raise DefinitionError(problems)
        return catalog

    def service(self, name: str) -> FeatureService:
        """Return a service; raises `UnknownName`."""
        return _find("service", name, self.services)

    def view(self, name: str) -> FeatureView:
        """Return a view, be it that of a `Latest`; raises `UnknownName`."""
        kept = {each.view.name: each.view for each in self.latest.values()}
        return kept[name] if name in kept else _find("view", name, self.views)

    def stream(self, name: str) -> Stream:
        """Return a stream; raises `UnknownName`."""
        return _find("stream", name, self.streams)

    def columns_used(self, stream: Stream) -> set[str]:
        """Return the columns of a stream that anything is computed of, or its entities named by."""
        identity = stream.event_id if stream.dedupe is not None else None
        of_stream = [stream.reverses, stream.reverses_time, identity]
        used = columns_of(*of_stream)
        for view in self.views_of(stream.name):
            used |= {*view.columns_used, *view.entity.keys}
        return used

    def views_of(self, stream: str) -> list[FeatureView]:
        """Return the views fed by a stream, those of what is looked up in it among them."""
        return [view for view in self._kept if view.stream.name == stream]

    def of_views(self, wanted: Callable[[FeatureView], bool]) -> "Catalog":
        """Return the same with some of the views alone."""
        views = {name: view for name, view in self.views.items() if wanted(view)}
        latest = {name: each for name, each in self.latest.items() if wanted(each.view)}
        return replace(self, views=views, latest=latest)

    def views_about(self, entity: Entity) -> list[FeatureView]:
        """Return the views that have a row of each such entity, those of look-ups among them."""
        views = [view for view in self.views.values() if view.entity == entity]
        found = {
            id(made.table)
            for view in views
            for made in view.stream.enrich
            if [str(made.key)] == list(entity.keys)
        }
        return views + [
            each.view
            for each in self.latest.values()
            if id(each) in found or [each.key] == list(entity.keys)
        ]

    @property
    def _kept(self) -> list[FeatureView]:
        return [*self.views.values(), *(each.view for each in self.latest.values())]


def load(definitions: str) -> Catalog:
    """Load the definitions in a file (``features.py``) or a dotted module.

    Raises:
        DefinitionError: There is no such file or module, it cannot be imported, or its
            definitions are wrong: one error with all their problems.
    """
    with gathering() as problems:
        module = _module(definitions)
        if problems:
            raise DefinitionError(problems)
    catalog = Catalog.of(definitions_in(module))
    if not catalog.streams:
        msg = f"{definitions}: it defines no stream, view or service at its top level"
        raise DefinitionError([msg])
    return catalog


def definitions_in(module: ModuleType) -> Iterable[object]:
    """Yield what stands at the top level of a module, also in lists and tuples."""
    for value in vars(module).values():
        yield from value if isinstance(value, list | tuple) else [value]


def _module(definitions: str) -> ModuleType:
    path = Path(definitions)
    with Foreign() as code:
        if path.suffix == ".py" or path.is_file():
            return _module_from_file(path)
        _look_in("")
        return importlib.import_module(definitions)
    error = code.failure
    assert error is not None  # else it has returned
    if isinstance(error, DefinitionError):
        raise error
    msg = f"{definitions}: cannot be loaded: {_where(error, definitions)}{code.said}"
    raise DefinitionError([msg]) from error


def _where(error: BaseException, definitions: str) -> str:
    """Say at which line of the user's own an error came about."""
    if isinstance(error, ModuleNotFoundError) and definitions.startswith(error.name or " "):
        return ""
    frames = own_frames(error)
    if not frames or isinstance(error, SyntaxError | FileNotFoundError):
        return ""
    return f"{frames[-1].filename}, line {frames[-1].lineno}: "


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise DefinitionError([f"{path}: there is no such file (working directory: {Path.cwd()})"])
    if path.suffix != ".py":
        raise DefinitionError([f"{path}: it is no Python file"])
    _look_in(str(path.resolve().parent))
    name = f"{path.stem} of definitions" if _is_taken(path.stem) else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # a file of Python has one
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _is_taken(name: str) -> bool:
    """Tell whether others need a module of this name: ``types.py`` must not stand in its place."""
    there = sys.modules.get(name)
    return name in sys.stdlib_module_names or not (there is None or _is_users(there))


def _is_users(module: ModuleType) -> bool:
    return is_own(getattr(module, "__file__", None) or "")


def _look_in(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)
        _looked_in.append(folder)


@contextmanager
def path_without_definitions() -> Iterator[None]:
    """Leave the folders of definitions out of the path, for a process that is started meanwhile.

    It takes over the path, and would look there for our own modules first: for ``api`` in a folder
    that has one. When it loads the definitions, it looks there as well. Before it has the path, it
    would look in the working directory, for modules of Python itself: in definitions ``signal.py``.
    """
    path, safe = sys.path.copy(), os.environ.get(_SAFE_PATH)
    sys.path[:] = [folder for folder in path if folder not in _looked_in]
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        sys.path[:] = path
        os.environ.pop(_SAFE_PATH)
        os.environ |= {} if safe is None else {_SAFE_PATH: safe}


def _looked_up(stream: Stream) -> Iterator[Latest]:
    """Yield what a stream is looked up in of others, and what those are, and so on."""
    for made in stream.enrich:
        if isinstance(made.table, Latest):
            yield made.table
            yield from _looked_up(made.table.stream)


def _by_name(what: str, definitions: Iterable[Named], problems: list[str]) -> dict[str, Named]:
    named: dict[str, Named] = {}
    problems += [
        f"two definitions of {what} {definition.name!r}; rename one"
        for definition in definitions
        if named.setdefault(definition.name, definition) is not definition
    ]
    return named


def _find(what: str, name: str, known: Mapping[str, Named]) -> Named:
    if name not in known:
        raise UnknownName(what, name, known)
    return known[name]
