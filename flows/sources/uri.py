"""URIs of sources, as users write them.

======================================  ==========================================================
``payments.jsonl .ndjson .json``        JSON lines; also with ``.gz`` behind
``payments.csv``                        CSV with a header; also with ``.gz`` behind
``payments.parquet``                    Parquet
``'2026-*/payments.jsonl'``             a glob: all files it matches, by name
``-``                                   JSON lines on stdin
``redis://host:port[/db]/key``          a Redis Stream; ``rediss://`` with TLS
``http``                                what is sent to the stream over HTTP
======================================  ==========================================================
"""

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from featurestore.definitions.stream import Stream
from featurestore.errors import SourceError, has, hint, without_password
from featurestore.storage.address import misplaced, problem
from featurestore.storage.keys import events_key
from flows.sources.byte_file import readable
from flows.sources.columns import wanted_by
from flows.sources.csv_rows import CsvFile
from flows.sources.json_lines import JsonLinesFile
from flows.sources.parquet_rows import ParquetFile
from flows.sources.redis_stream import PATIENCE_SECONDS, RedisStream
from flows.sources.several import Several
from flows.sources.source import Source
from flows.sources.standard_input import NAME as STDIN
from flows.sources.standard_input import StandardInput

SENT_OVER_HTTP = "http"
_PLANNED = ("kafka", "kinesis", "pubsub")
_SCHEMES = ("redis", "rediss", "file")


def _json_lines(stream: Stream, path: str) -> Source:
    return JsonLinesFile(stream.name, path)


def _csv(stream: Stream, path: str) -> Source:
    return CsvFile(stream.name, path, wanted_by(stream.contract))


def _parquet(stream: Stream, path: str) -> Source:
    return ParquetFile(stream.name, path, wanted_by(stream.contract))


_ENDINGS: dict[str, Callable[[Stream, str], Source]] = {
    **{e + z: _json_lines for e in (".jsonl", ".ndjson", ".json") for z in ("", ".gz")},
    **{".csv" + z: _csv for z in ("", ".gz")},
    ".parquet": _parquet,
}


def parse_source(
    stream: Stream, uri: str | Sequence[str], redis_url: str, patience_s: float = PATIENCE_SECONDS
) -> Source:
    """Return the source that a URI names; nothing is read from it yet.

    Args:
        stream: The stream it feeds.
        uri: What the user wrote; the table above says what there is. Or paths, from `settled`.
        redis_url: The store, which holds what is sent over HTTP.
        patience_s: For how long an outage of a server that it names is waited out.

    Raises:
        SourceError: There is nothing of that name, or it cannot be read.
    """
    if not isinstance(uri, str):
        return _files(stream, uri)
    if uri == STDIN:
        return StandardInput(stream.name)
    if uri == SENT_OVER_HTTP:
        return RedisStream(stream.name, redis_url, events_key(stream.name).decode(), patience_s)
    pattern = _pattern(uri)
    if pattern is not None:
        return _files(stream, _paths(pattern))
    scheme = uri.partition("://")[0]
    if scheme in {"redis", "rediss"}:
        return RedisStream(stream.name, *redis_place(uri), patience_s)
    raise SourceError(_unknown_scheme(scheme))


def settled(uri: str | Sequence[str]) -> str | Sequence[str]:
    """Return the paths of the files that a URI names now, or the URI where it names none.

    Raises:
        SourceError: There is no file of that name.
    """
    pattern = _pattern(uri) if isinstance(uri, str) else None
    return uri if pattern is None else _paths(pattern)


def _pattern(uri: str) -> str | None:
    """Return the path, or the glob, that a URI is; None where it is something else."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return None if uri in {STDIN, SENT_OVER_HTTP} else uri
    return unquote(rest) if scheme == "file" else None


def _unknown_scheme(scheme: str) -> str:
    known = has([f"{name}://" for name in _SCHEMES])
    if scheme in _PLANNED:
        return f"sources of {scheme}:// cannot be read yet {known}"
    return f"there is no source {scheme}:// {known}{hint(scheme, _SCHEMES)}"


def redis_place(uri: str) -> tuple[str, str]:
    """Return the store and the key that a ``redis://`` URI names.

    Raises:
        SourceError: It names no key, or no server.

    >>> redis_place("redis://host:6379/2/merchants")
    ('redis://host:6379/2', 'merchants')
    """
    wrong = misplaced(uri)
    if wrong:
        msg = f"{without_password(uri)!r}: {wrong}"
        raise SourceError(msg)
    parts = urlsplit(uri)
    first, _, rest = parts.path.lstrip("/").partition("/")
    database, key = (first, rest) if first.isdecimal() else ("0", parts.path.lstrip("/"))
    if not key:
        msg = (
            f"{without_password(uri)!r} names no key: write redis://host:port/key, or "
            "redis://host:port/database/key"
        )
        raise SourceError(msg)
    url = urlunsplit((parts.scheme, parts.netloc, f"/{database}", parts.query, ""))
    wrong = problem(url)
    if wrong:
        raise SourceError(wrong)
    return url, unquote(key)


def _files(stream: Stream, paths: Sequence[str]) -> Source:
    sources = [_file(stream, path) for path in paths]
    return sources[0] if len(sources) == 1 else Several(stream.name, sources)


def _paths(pattern: str) -> list[str]:
    paths = [pattern] if os.path.lexists(pattern) else _matches(pattern)
    return list(dict.fromkeys(str(Path(path).resolve()) for path in paths))


def _matches(pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        raise SourceError(_no_file(pattern))
    matches = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes none absolute
    found = sorted(path for path in matches if not Path(path).is_dir())
    if not found:
        msg = f"no file matches {pattern!r} (looked from {Path.cwd()})"
        raise SourceError(msg)
    return found


def _no_file(path: str) -> str:
    folder = Path(path).parent
    if not folder.is_dir():
        return f"there is no file {path!r}: there is no folder {str(folder)!r}"
    names = sorted(entry.name for entry in folder.iterdir() if _ending(entry.name))
    few = [*names[:8], "..."] if len(names) > len(names[:8]) else names
    return f"there is no file {path!r} {has(few)}{hint(Path(path).name, names)}"


def _file(stream: Stream, path: str) -> Source:
    if Path(path).is_dir():
        msg = f"{path!r} is a folder: name its files, as in '{path}/*.jsonl'"
        raise SourceError(msg)
    ending = _ending(path)
    if ending is None:
        known = list(_ENDINGS)
        suffix = "".join(Path(path).suffixes[-2:])
        msg = f"cannot tell what {path!r} holds by its ending {has(known)}{hint(suffix, known)}"
        raise SourceError(msg)
    if not Path(path).exists():  # gone since it was found
        raise SourceError(_no_file(path))
    if not Path(path).is_file():
        msg = f"{path!r} is no regular file; read a pipe as -, as in: {STDIN} < {path}"
        raise SourceError(msg)
    with readable(path), Path(path).open("rb"):
        return _ENDINGS[ending](stream, path)


def _ending(path: str) -> str | None:
    return max((e for e in _ENDINGS if path.lower().endswith(e)), key=len, default=None)
