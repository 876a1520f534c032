"""The tasks and what they cost, in SQLite: the only state, and the truth that tests measure."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flux_pipeline.errors import UsageError
from flux_pipeline.simulator.life import Outcome, Storage, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FIRST_ID = 2221
MICRO = Decimal(1_000_000)

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS task (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, uuid TEXT NOT NULL, model TEXT NOT NULL,
    parameters TEXT NOT NULL, created REAL NOT NULL, queue REAL NOT NULL, run REAL NOT NULL, outcome TEXT NOT NULL,
    price INTEGER NOT NULL, stopped REAL, file_token TEXT NOT NULL UNIQUE, storage TEXT NOT NULL,
    ends REAL NOT NULL, charge INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS task_ends ON task (ends, charge);
"""
_COLUMNS = "id, token, uuid, model, parameters, created, queue, run, outcome, price, stopped, file_token, storage"
_INSERT = f"INSERT INTO task ({_COLUMNS}, ends, charge) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - constants
_SELECT = f"SELECT {_COLUMNS} FROM task"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One task as an auditor sees it; `charged` is zero until the task has finished with success."""

    task: str
    model: str
    parameters: Mapping[str, Any]
    status: str
    charged: Decimal
    created: float


class Ledger:
    """Calls may come from any thread; the file may be open in several processes."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._settled = (float("-inf"), 0)
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _opened(path)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"the simulator's ledger {path} cannot be used: {error}") from error
        self.close = weakref.finalize(self, self._db.close)

    def add(self, make: Callable[[int], Task]) -> Task:
        """Give out the next id and store the task made for it."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                (last,) = self._db.execute("SELECT max(id) FROM task").fetchone()
                task = make(FIRST_ID if last is None else last + 1)
                self._db.execute(_INSERT, _values(task))
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        return task

    def by_id(self, task_id: int) -> Task | None:
        return self._one("WHERE id = ?", task_id)

    def by_token(self, token: str) -> Task | None:
        return self._one("WHERE token = ?", _clean(token))

    def by_file_token(self, token: str) -> Task | None:
        return self._one("WHERE file_token = ?", _clean(token))

    def page(
        self, *, start: int, limit: int, newest_first: bool, model: str | None, created_by: float
    ) -> tuple[int, list[Task]]:
        """Return how many tasks match, and one page of them; `model` is a name or owner/name."""
        where = "WHERE created <= ?"
        values: list[str | int | float] = [created_by]
        if model is not None:
            where += " AND (model = ? OR model LIKE '%/' || ?)"
            values += [_clean(model)] * 2
        order = "DESC" if newest_first else "ASC"
        with self._lock:
            (total,) = self._db.execute(f"SELECT count(*) FROM task {where}", values).fetchone()  # noqa: S608 - constants
            rows = self._db.execute(f"{_SELECT} {where} ORDER BY id {order} LIMIT ? OFFSET ?", (*values, limit, start))
            return total, [_task(row) for row in rows]

    def stop(self, task_id: int, at: float) -> None:
        self._change(task_id, "stopped = ?, ends = ?, charge = 0", at, at)

    def renew_file(self, task_id: int, file_token: str) -> None:
        self._change(task_id, "file_token = ?", file_token)

    def store(self, task_id: int, storage: Storage) -> None:
        self._change(task_id, "storage = ?", storage.value)

    def active(self, now: float) -> int:
        with self._lock:
            (count,) = self._db.execute("SELECT count(*) FROM task WHERE ends > ?", (now,)).fetchone()
        return int(count)

    def charged(self, now: float) -> int:
        """Sum what all ended tasks cost. What was summed before is not summed again, so a long ledger stays fast."""
        with self._lock:
            since, total = self._settled if self._settled[0] <= now else (float("-inf"), 0)
            query = "SELECT coalesce(sum(charge), 0) FROM task WHERE ends > ? AND ends <= ?"
            (more,) = self._db.execute(query, (since, now)).fetchone()
            self._settled = (now, total + more)
            return int(total + more)

    def rows(self, now: float) -> tuple[LedgerRow, ...]:
        with self._lock:
            tasks = [_task(row) for row in self._db.execute(f"{_SELECT} ORDER BY id")]
        return tuple(
            LedgerRow(
                task=str(task.id),
                model=task.model,
                parameters=task.parameters,
                status=task.status(now),
                charged=Decimal(task.charge if now >= task.ends else 0) / MICRO,
                created=task.created,
            )
            for task in tasks
        )

    def _one(self, where: str, value: object) -> Task | None:
        with self._lock:
            row = self._db.execute(f"{_SELECT} {where}", (value,)).fetchone()
        return None if row is None else _task(row)

    def _change(self, task_id: int, assignments: str, *values: object) -> None:
        with self._lock:
            self._db.execute(f"UPDATE task SET {assignments} WHERE id = ?", (*values, task_id))  # noqa: S608 - constants


def _opened(path: Path | None) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        _check_version(db, path)
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def _check_version(db: sqlite3.Connection, path: Path | None) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in {0, _VERSION}:
        raise UsageError(f"the simulator's ledger {path} has format {version}; this program knows {_VERSION}")


def _values(task: Task) -> tuple[str | int | float | None, ...]:
    return (
        task.id,
        task.token,
        task.uuid,
        task.model,
        json.dumps(task.parameters),
        task.created,
        task.queue,
        task.run,
        task.outcome.value,
        task.price,
        task.stopped,
        task.file_token,
        task.storage.value,
        task.ends,
        task.charge,
    )


def _clean(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and SQLite refuses."""
    return text.encode("utf-8", "replace").decode()


def _task(row: tuple[Any, ...]) -> Task:
    return Task(
        id=row[0],
        token=row[1],
        uuid=row[2],
        model=row[3],
        parameters=json.loads(row[4]),
        created=row[5],
        queue=row[6],
        run=row[7],
        outcome=Outcome(row[8]),
        price=row[9],
        stopped=row[10],
        file_token=row[11],
        storage=Storage(row[12]),
    )
