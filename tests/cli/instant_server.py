"""A server that answers at once and remembers when it was asked: the ground for measuring the program's own pace.

It shares nothing with the program or its simulator. Started as a process of its own, it prints its base URL; what it
has seen is at `/record`.
"""

from __future__ import annotations

import asyncio
import struct
import time
import zlib
from itertools import count

from aiohttp import web

MODEL = "/v1/Run/{owner}/{model}"


class Instant:
    """A task is active from the arrival of its request until somebody has been told that it ended."""

    def __init__(self):
        self.ids = count(2221)
        self.tasks: dict[str, dict] = {}
        self.arrivals: list[float] = []
        self.active: set[str] = set()
        self.most_active = 0
        self.last_file = 0.0
        self.reads = 0
        self.origin = ""

    def app(self):
        app = web.Application()
        app.router.add_post(MODEL, self.run)
        app.router.add_post("/v1/Task/Detail", self.detail)
        app.router.add_post("/v1/Task/List", self.list)
        app.router.add_get("/cdn/{size}.png", self.file)
        app.router.add_get("/record", self.record)
        return app

    async def run(self, request):
        self.arrivals.append(time.monotonic())
        task = str(next(self.ids))
        self.active.add(task)
        self.most_active = max(self.most_active, len(self.active))
        self.tasks[task] = await request.json()
        return web.json_response({"errors": [], "taskid": task, "socketaccesstoken": f"t{task}", "result": True})

    async def detail(self, request):
        self.reads += 1
        return self.told([(await request.json())["taskid"]])

    async def list(self, request):
        self.reads += 1
        body = await request.json()
        start, limit = int(body["start"]), int(body["limit"])
        return self.told(list(reversed(self.tasks))[start : start + limit])

    def told(self, tasks):
        self.active.difference_update(tasks)
        records = [self.ended(task) for task in tasks if task in self.tasks]
        return web.json_response({"total": str(len(records)), "errors": [], "tasklist": records, "result": True})

    def ended(self, task):
        params = self.tasks[task]
        size = f"{params['width']}x{params['height']}"
        return {
            "id": task,
            "status": "task_postprocess_end",
            "pexit": "0",
            "totalcost": "0.03",
            "parameters": params,
            "outputs": [
                {
                    "name": "0.png",
                    "contenttype": "image/png",
                    "size": str(len(picture(size))),
                    "url": f"{self.origin}/cdn/{size}.png",
                }
            ],
        }

    async def file(self, request):
        self.last_file = time.monotonic()
        return web.Response(body=picture(request.match_info["size"]), content_type="image/png")

    async def record(self, _request):
        return web.json_response(
            {
                "arrivals": self.arrivals,
                "most_active": self.most_active,
                "last_file": self.last_file,
                "reads": self.reads,
            }
        )


_PICTURES: dict[str, bytes] = {}


def picture(size):
    """Return one fixed PNG a size, a gradient, made by hand."""
    if size not in _PICTURES:
        width, height = map(int, size.split("x"))
        rows = b"".join(b"\0" + bytes((x + y) % 256 for x in range(width) for _ in "rgb") for y in range(height))
        _PICTURES[size] = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in (
                (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
                (b"IDAT", zlib.compress(rows)),
                (b"IEND", b""),
            )
        )
    return _PICTURES[size]


async def main():
    instant = Instant()
    runner = web.AppRunner(instant.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    instant.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(f"{instant.origin}/v1", flush=True)  # noqa: T201 - the parent waits for this line
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
