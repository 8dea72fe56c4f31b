"""What a flow remembers of the store it committed to."""

from pathlib import Path

import pytest

from featurestore.errors import StoreError, StoreRefused
from flows.known_stores import KnownStores

URL = "redis://me:secret@here:6379"
SOURCES = {"taps": ["a.jsonl"], "taps_http": ["http"]}


def remembering(folder: Path) -> KnownStores:
    stores = KnownStores(URL, folder, {"taps"})
    stores.remember("one", ("taps", "a.jsonl"))
    stores.remember("one", ("taps_http", "http"))
    return stores


def test_a_first_run_and_the_same_store_are_fine(tmp_path: Path) -> None:
    KnownStores(URL, tmp_path, {"taps"}).check("one", SOURCES)
    remembering(tmp_path)
    KnownStores(URL, tmp_path, {"taps"}).check("one", SOURCES)


def test_another_store_at_the_same_url_is_refused_with_the_way_out(tmp_path: Path) -> None:
    remembering(tmp_path)
    with pytest.raises(StoreRefused, match="run with --rebuild") as refused:
        KnownStores(URL, tmp_path, {"taps"}).check("two", SOURCES)
    assert "secret" not in str(refused.value)


def test_another_url_another_source_and_a_rebuild_are_fine(tmp_path: Path) -> None:
    remembering(tmp_path)
    KnownStores("redis://there", tmp_path, {"taps"}).check("two", SOURCES)
    KnownStores(URL, tmp_path, {"taps"}).check("two", {"taps": ["b.jsonl"]})
    KnownStores(URL, tmp_path, {"taps"}).check("two", {"taps_http": ["http"]})
    rebuilding = KnownStores(URL, tmp_path, {"taps"})
    rebuilding.forget(SOURCES)
    rebuilding.check("two", SOURCES)


def test_while_a_flow_runs_it_remembers_every_source() -> None:
    stores = KnownStores(URL)
    stores.remember("one", ("taps_http", "http"))
    with pytest.raises(StoreRefused, match="emptied or exchanged"):
        stores.check("two", SOURCES)


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_committed(
    tmp_path: Path,
) -> None:
    (tmp_path / "stores").write_text("a file where the folder should be")
    stores = KnownStores(URL, tmp_path, {"taps"})
    with pytest.raises(StoreError, match=r"cannot remember in .*stores which .*with --state"):
        stores.check("one", SOURCES)
    stores.check("one", {"taps_http": ["http"]})  # kept in memory alone
