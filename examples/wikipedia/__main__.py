"""Follow a page, a person and a robot through the day: ``python -m examples.wikipedia``."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from featurestore.testing import Store

HERE = Path(__file__).parent
DAY = datetime(2015, 9, 12, tzinfo=UTC)
PAGE = {"channel": "#en.wikipedia", "page": "Jeremy Corbyn"}  # he won an election that day
ROBOT = "ThitxongkhoiAWB"
SHOWN = ("page_edits_1h", "page_editors_1h", "page_undone_1h", "user_edits_1h", "user_pages_1h")


def by_hours(path: Path, hours: int) -> Iterator[tuple[datetime, bytes]]:
    """Yield the edits of the day, some hours at a time, each with the moment they end at."""
    end = DAY + timedelta(hours=hours)
    lines: list[bytes] = []
    with gzip.open(path, "rb") as file:
        for line in file:
            while datetime.fromisoformat(json.loads(line)["time"]) >= end:
                yield end, b"".join(lines)
                end, lines = end + timedelta(hours=hours), []
            lines.append(line)
    yield end, b"".join(lines)


def main() -> None:
    """Print what is known every second hour, of what has happened by then."""
    store = Store(str(HERE / "features.py"))
    print("hour  " + "  ".join(SHOWN))  # noqa: T201 - what it is for
    for hour, (now, lines) in enumerate(by_hours(HERE / "edits.jsonl.gz", 2), 1):
        store.feed("edits", lines)
        vector = store.get("vandalism_v1", {**PAGE, "user": ROBOT}, as_of=now)
        values = ["-" if vector[name] is None else vector[name] for name in SHOWN]
        cells = (f"{value:>{len(name)}}" for value, name in zip(values, SHOWN, strict=True))
        print(f"{2 * hour:>4}  " + "  ".join(cells))  # noqa: T201
    print(f"edits: {store.counts('edits')}")  # noqa: T201


if __name__ == "__main__":
    main()
