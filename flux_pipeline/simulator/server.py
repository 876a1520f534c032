"""The server itself: its settings, its routes, and two ways to run it."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from aiohttp import web

from flux_pipeline.errors import UsageError
from flux_pipeline.simulator import bodies
from flux_pipeline.simulator.account import Account
from flux_pipeline.simulator.api import Api
from flux_pipeline.simulator.calls import Answer, Call, Hangup, failure, json_response
from flux_pipeline.simulator.cdn import Cdn
from flux_pipeline.simulator.gate import Gate
from flux_pipeline.simulator.ledger import Ledger, LedgerRow
from flux_pipeline.simulator.life import Latency
from flux_pipeline.simulator.messenger import Messenger
from flux_pipeline.simulator.mischief import Mischief, Stage
from flux_pipeline.simulator.models import PRICE
from flux_pipeline.simulator.studio import Studio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from types import TracebackType

    from flux_pipeline.simulator.calls import Endpoint
    from flux_pipeline.simulator.faults import Faults

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REHEARSAL_BALANCE = Decimal(1000)
"""Enough for `run --simulate`: no limit on concurrency, and 25,000 renders until there is one."""

_LARGEST_BODY = 16 * 1024 * 1024
_DEAREST = 1_000_000
_SHUTDOWN_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An account and its manners.

    `api_key` None lets any key in, `api_secret` None asks for no signature. `balance` is what was paid in before the
    first charge in the ledger. `speed` divides all latencies; `math.inf` makes tasks finish at once. `price` is what a
    picture costs by /Tool/Detail, in dollars, and `charge` what it really costs; None is the same.
    """

    api_key: str | None = field(default=None, repr=False)
    api_secret: str | None = field(default=None, repr=False)
    allowed_ips: frozenset[str] | None = None
    balance: Decimal = Decimal(50)
    latency: Latency = field(default_factory=Latency)
    speed: float = 1.0
    price: Decimal = PRICE
    charge: Decimal | None = None
    seed: int = 0
    faults: Faults | None = None


class Simulator:
    """One account on one ledger; `db` None keeps it in memory. `clock` tells unix seconds."""

    def __init__(self, settings: Settings, db: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        if settings.speed <= 0:
            raise UsageError("the simulator's speed must be above 0")
        if max(settings.price, settings.charge or settings.price) > _DEAREST:
            raise UsageError(f"the simulator's prices end at ${_DEAREST}")
        self.settings = settings
        self._clock = clock
        self._ledger = Ledger(db)
        self._studio = Studio()
        self._account = Account(settings.balance, self._ledger)
        self._gate = Gate(api_key=settings.api_key, api_secret=settings.api_secret, allowed_ips=settings.allowed_ips)
        self._messenger = Messenger(ledger=self._ledger, studio=self._studio, clock=clock)
        self._cdn = Cdn(ledger=self._ledger, studio=self._studio)
        self._api = Api(
            ledger=self._ledger,
            account=self._account,
            studio=self._studio,
            messenger=self._messenger,
            latency=settings.latency,
            seed=settings.seed,
            speed=settings.speed,
            price=settings.price,
            charge=settings.price if settings.charge is None else settings.charge,
        )
        stage = Stage(api=self._api, cdn=self._cdn, ledger=self._ledger, studio=self._studio, account=self._account)
        self._mischief = Mischief(settings.faults, stage) if settings.faults is not None else None

    def ledger(self) -> tuple[LedgerRow, ...]:
        """Return every task that was ever made, oldest first; safe from any thread, also after the server has ended."""
        return self._ledger.rows(self._clock())

    def balance(self) -> Decimal:
        return self._account.balance(self._clock())

    def close(self) -> None:
        """Close the ledger for good; left alone, it is closed with the last reference to the simulator."""
        self._ledger.close()

    def app(self) -> web.Application:
        api = self._api
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_post("/v1/Run/{owner}/{model}", self._endpoint("run", api.run))
        for path, name, endpoint in (
            ("/v1/Task/Detail", "detail", api.detail),
            ("/v1/Task/List", "list", api.list),
            ("/v1/Task/Cancel", "cancel", api.cancel),
            ("/v1/Task/Kill", "kill", api.kill),
            ("/v1/Task/InputOutputDelete", "delete", api.delete),
            ("/v1/Tool/Detail", "tool", api.tool),
        ):
            app.router.add_post(path, self._endpoint(name, endpoint))
        app.router.add_get("/v1", self._messenger.socket)
        app.router.add_get("/cdn/{token}/{name}", self._public_file)
        app.router.add_get("/ledger", self._public_ledger)
        app.cleanup_ctx.append(self._while_serving)
        return app

    async def _while_serving(self, _app: web.Application) -> AsyncIterator[None]:
        yield
        await self._messenger.close()
        self._studio.close()

    def _endpoint(self, name: str, endpoint: Endpoint) -> Handler:
        """Let in, read, answer. Nothing of the body is looked at before the caller is known."""

        async def handle(request: web.Request) -> web.StreamResponse:
            refusal = self._gate.refusal(request.headers, request.remote)
            if refusal is not None:
                return json_response(failure(0, refusal), status=401)
            try:
                body = await bodies.read(request)
            except bodies.BadBody as error:
                return json_response(failure(0, str(error)))
            call = Call(name=name, request=request, body=body, now=self._clock())
            return await self._respond(call, endpoint)

        return handle

    async def _public_file(self, request: web.Request) -> web.StreamResponse:
        return await self._respond(Call(name="cdn", request=request, now=self._clock()), self._cdn.file)

    async def _public_ledger(self, _request: web.Request) -> web.StreamResponse:
        return json_response(
            [
                {
                    "task": row.task,
                    "model": row.model,
                    "parameters": dict(row.parameters),
                    "status": row.status,
                    "charged": str(row.charged),
                    "created": row.created,
                }
                for row in self.ledger()
            ]
        )

    async def _respond(self, call: Call, endpoint: Endpoint) -> web.StreamResponse:
        try:
            answer: Answer = await (self._mischief.answer(call, endpoint) if self._mischief else endpoint(call))
        except Hangup:
            if call.request.transport is not None:
                call.request.transport.abort()
            return web.Response()
        return json_response(answer) if isinstance(answer, dict) else answer


async def serve(simulator: Simulator, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until cancelled; `ready` is given the base URL once connections are accepted. Port 0 takes a free one.

    Raises:
        UsageError: the port is taken, or the host is not on loopback.
    """
    if host != "localhost" and not _loopback(host):
        raise UsageError(f"the simulator listens on loopback only, not on {host}")
    # Handlers are not cancelled when a client hangs up: what a killed client has sent is carried out, as on a real server.
    runner = web.AppRunner(simulator.app(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    assert runner.server is not None
    listener: asyncio.Server | None = None
    try:
        try:
            listener = await asyncio.get_running_loop().create_server(runner.server, host, port)
        except (OSError, OverflowError) as error:
            raise UsageError(f"the simulator cannot listen on {host}:{port}: {error}") from error
        address, taken = listener.sockets[0].getsockname()[:2]
        ready(f"http://{f'[{address}]' if ':' in address else address}:{taken}/v1")
        await asyncio.Event().wait()
    finally:
        if listener is not None:
            await _stop_listening(listener)
        transports = [each.transport for each in runner.server.connections if each.transport is not None]
        await runner.cleanup()
        for transport in transports:
            transport.abort()  # also one whose client does not read on: closing it would wait for that
        await _turns()


async def _stop_listening(listener: asyncio.Server) -> None:
    """Stop without losing a connection that is being accepted: nobody would close it."""
    for one in listener.sockets:
        asyncio.get_running_loop().remove_reader(one.fileno())
    await _turns()
    listener.close()


async def _turns() -> None:
    """Let the loop do what it has begun; that takes a few turns, each of which may begin the next."""
    for _ in range(5):
        await asyncio.sleep(0)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class SimulatorThread:
    """A simulator served from a thread of its own, for as long as a `with` block lasts."""

    def __init__(self, simulator: Simulator, *, port: int = 0) -> None:
        self.simulator = simulator
        self.base_url = ""
        self._port = port
        self._thread = threading.Thread(target=self._live, name="simulator", daemon=True)
        self._started = threading.Event()
        self._failed: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None

    def __enter__(self) -> SimulatorThread:  # noqa: PYI034 - typing.Self is for subclasses, of which there are none
        self._thread.start()
        self._started.wait()
        if self._failed is not None:
            self._thread.join()
            raise self._failed
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._serving is not None:
            self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join()

    def _live(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._failed = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.current_task()
        try:
            await serve(self.simulator, "127.0.0.1", self._port, self._ready)
        except asyncio.CancelledError:
            return

    def _ready(self, base_url: str) -> None:
        self.base_url = base_url
        self._started.set()
