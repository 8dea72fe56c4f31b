"""The command line, run in this process; definitions and events for it."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from featurestore.cli import main

FEATURES = """
from datetime import datetime

from pydantic import BaseModel

from featurestore import Entity, FeatureService, FeatureView, Stream, column, count, last, total


class Payment(BaseModel):
    user_id: str
    country: str
    amount: float
    note: str | None
    paid_at: datetime


payments = Stream("payments", contract=Payment, event_time="paid_at")
spending = FeatureView(
    "spending",
    stream=payments,
    entity=Entity("user", keys=["user_id", "country"]),
    windows=["1h", "24h"],
    offset="7d",
    where=column("amount") > 0,
    features={"payments": count(), "spent": total("amount"), "note": last("note")},
)
fraud = FeatureService("fraud_v1", features=[spending.select("spent_1h", "payments_24h")])
"""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def featurestore(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """The command, as from a shell; its embedded server would be that of a test's own folder."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.delenv("FEATURESTORE_REDIS_URL", raising=False)

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["featurestore", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def features(tmp_path: Path) -> str:
    """The path of good definitions."""
    path = tmp_path / "features.py"
    path.write_text(FEATURES)
    return str(path)


@pytest.fixture
def events(tmp_path: Path) -> str:
    """The path of four events: two good ones, one invalid, one from the future."""
    now = datetime.now(UTC)
    good = {"user_id": "u1", "country": "NL", "amount": 5.0, "note": None}
    lines = [
        good | {"paid_at": (now - timedelta(days=7, minutes=2)).isoformat()},
        good | {"amount": "many", "paid_at": now.isoformat()},
        good | {"paid_at": (now + timedelta(days=1)).isoformat()},
        good | {"amount": 7.0, "note": "[b]x", "paid_at": now.isoformat()},
    ]
    path = tmp_path / "payments.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)
