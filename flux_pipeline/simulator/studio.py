"""Where pictures are drawn: off the event loop, when somebody asks for them, and once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from flux_pipeline.simulator.pictures import Picture, encoded

if TYPE_CHECKING:
    from flux_pipeline.simulator.life import Task

_CACHE_BYTES = 128 * 1024 * 1024


def picture_of(task: Task) -> Picture:
    """Read what to draw from a task's parameters, which forms may have sent as text."""
    given = task.parameters
    return Picture(
        prompt=str(given.get("prompt", "")),
        seed=str(given.get("seed", "")),
        width=int(float(given.get("width", 1024))),
        height=int(float(given.get("height", 1024))),
        format=str(given.get("outputFormat", "png")),
        model=task.model.rpartition("/")[2],
    )


class Studio:
    """A cache of files over two drawing threads. Sizes are remembered after the files are let go."""

    def __init__(self) -> None:
        self._files: OrderedDict[Picture, bytes] = OrderedDict()
        self._held = 0
        self._sizes: dict[Picture, int] = {}
        self._drawing: dict[Picture, asyncio.Future[bytes]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def known_size(self, picture: Picture) -> int | None:
        return self._sizes.get(picture)

    async def size(self, picture: Picture) -> int:
        known = self._sizes.get(picture)
        return len(await self.file(picture)) if known is None else known

    async def file(self, picture: Picture) -> bytes:
        """Return the picture's file; those who ask for the same one at the same time share the drawing."""
        if picture in self._files:
            self._files.move_to_end(picture)
            return self._files[picture]
        if picture not in self._drawing:
            self._drawing[picture] = self._started(picture)
        return await asyncio.shield(self._drawing[picture])

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._threads = None
        self._drawing.clear()

    def _started(self, picture: Picture) -> asyncio.Future[bytes]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="simulator-studio")
        future = asyncio.get_running_loop().run_in_executor(self._threads, encoded, picture)
        future.add_done_callback(lambda done: self._keep(picture, done))
        return future

    def _keep(self, picture: Picture, done: asyncio.Future[bytes]) -> None:
        self._drawing.pop(picture, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._files[picture] = file = done.result()
        self._sizes[picture] = len(file)
        self._held += len(file)
        while self._held > _CACHE_BYTES:
            _, dropped = self._files.popitem(last=False)
            self._held -= len(dropped)
