"""Starting, ending, and what the server says unasked."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import socket
import threading
import time

import aiohttp
import httpx
import pytest
from aiohttp import web

from flux_pipeline.errors import UsageError
from flux_pipeline.simulator.messenger import on_loopback
from flux_pipeline.simulator.server import Settings, Simulator, SimulatorThread, serve

RUN = "/Run/black-forest-labs/flux-2-pro-t2i"


def port_of(wiro):
    return int(wiro.origin.rpartition(":")[2])


def test_a_free_port_on_loopback_is_taken_and_told(wiro):
    assert wiro.base_url == f"http://127.0.0.1:{port_of(wiro)}/v1"


def test_a_port_that_is_taken_is_a_usage_error(wiro):
    with pytest.raises(UsageError, match="cannot listen"), SimulatorThread(Simulator(Settings()), port=port_of(wiro)):
        pass


def test_the_same_simulator_can_be_served_again_on_the_same_port():
    simulator = Simulator(Settings())
    port = 0
    for _ in range(2):
        with SimulatorThread(simulator, port=port) as thread:
            port = int(thread.base_url.split(":")[2].removesuffix("/v1"))
            httpx.post(thread.base_url + RUN, json={"prompt": "x"}, headers={"x-api-key": "k"}, trust_env=False)
    assert len(simulator.ledger()) == 2


def test_the_server_ends_at_once_even_with_hanging_and_idle_connections(start):
    wiro = start(faults=[{"on": "list", "what": "hang"}])
    thread = SimulatorThread(wiro.simulator)
    hanging = []

    def ask():
        with contextlib.suppress(httpx.TransportError):
            httpx.post(thread.base_url + "/Task/List", json={}, headers={"x-api-key": "k"}, trust_env=False, timeout=20)

    with httpx.Client(trust_env=False) as idle, thread:
        idle.get(thread.base_url.removesuffix("/v1") + "/ledger")
        hanging = [threading.Thread(target=ask) for _ in range(5)]
        for each in hanging:
            each.start()
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            idle.get(thread.base_url.removesuffix("/v1") + "/ledger")
        ending = time.monotonic()
    assert time.monotonic() - ending < 0.5
    for each in hanging:
        each.join()


def test_a_server_that_ends_while_clients_come_leaves_no_connection_open():
    ended = threading.Event()
    left = []

    def knock(port):
        while not ended.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as client:
                client.send(b"GET /ledger HTTP/1.1\r\nHost: a\r\n\r\n")

    for _ in range(3):
        with SimulatorThread(Simulator(Settings())) as thread:
            port = int(thread.base_url.split(":")[2].removesuffix("/v1"))
            knocking = [threading.Thread(target=knock, args=(port,)) for _ in range(3)]
            for each in knocking:
                each.start()
            with httpx.Client(trust_env=False) as client:
                for _ in range(5):
                    client.get(thread.base_url.removesuffix("/v1") + "/ledger")
        left += [one for one in gc.get_objects() if isinstance(one, socket.socket) and _is_of(one, port)]
        ended.set()
        for each in knocking:
            each.join()
        ended.clear()
    assert left == []


def _is_of(one, port):
    """Say whether a socket of this process is still open and one that a server has accepted."""
    with contextlib.suppress(OSError):
        return one.fileno() >= 0 and one.getsockname()[1] == port
    return False


def test_the_standalone_server_tells_its_url_and_runs_until_it_is_cancelled():
    async def scenario():
        told = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(Simulator(Settings()), "localhost", 0, told.set_result))
        url = await told + "/Task/List"
        async with aiohttp.ClientSession() as session, session.post(url, json={}, headers={"x-api-key": "k"}) as answer:
            assert (await answer.json())["result"] is True
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(scenario())


@pytest.mark.parametrize("host", ["0.0.0.0", "example.org", "10.0.0.1"])
def test_the_server_listens_on_loopback_only(host):
    with pytest.raises(UsageError, match="loopback"):
        asyncio.run(serve(Simulator(Settings()), host, 0, print))


def test_what_is_not_there_is_404_and_405(wiro):
    assert wiro.post("/Task/Nothing", {}).status_code == 404
    assert wiro.http.get(wiro.base_url + "/Task/List").status_code == 405


def test_the_socket_pushes_every_status_and_the_outputs_at_the_end(start):
    wiro = start(speed=math.inf)
    answer = wiro.run().json()

    async def scenario():
        news = []
        async with aiohttp.ClientSession() as session, session.ws_connect(wiro.base_url) as wire:
            await wire.send_json({"type": "task_info", "tasktoken": answer["socketaccesstoken"]})
            while not news or news[-1]["type"] != "task_postprocess_end":
                news.append(await wire.receive_json(timeout=5))
        return news

    news = asyncio.run(scenario())
    assert [each["type"] for each in news][:2] == ["task_queue", "task_accept"]
    assert {each["id"] for each in news} == {answer["taskid"]}
    assert news[-1]["message"] == wiro.task(answer["taskid"])["outputs"]
    assert "pexit" not in news[-1]


@pytest.mark.parametrize("message", ["{", '{"type": "task_info"}', '{"type": "task_info", "tasktoken": "none"}'])
def test_the_socket_says_what_it_does_not_understand(wiro, message):
    async def scenario():
        async with aiohttp.ClientSession() as session, session.ws_connect(wiro.base_url) as wire:
            await wire.send_str(message)
            return await wire.receive_json(timeout=5)

    assert asyncio.run(scenario())["result"] is False


def test_a_callback_names_the_task_once_it_is_done_and_is_tried_again(start):
    wiro = start(speed=math.inf)

    async def scenario():
        received = []
        done = asyncio.Event()

        async def take(request):
            received.append(await request.json())
            if len(received) == 2:
                done.set()
            return web.Response(status=500 if len(received) == 1 else 200)

        app = web.Application()
        app.router.add_post("/hook", take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        task_id = await asyncio.to_thread(wiro.made, callbackUrl=url)
        await asyncio.wait_for(done.wait(), 5)
        await runner.cleanup()
        return task_id, received

    task_id, received = asyncio.run(scenario())
    assert [body["taskid"] for body in received] == [task_id, task_id]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/hook", True),
        ("http://localhost/hook", True),
        ("http://[::1]/hook", True),
        ("https://example.org/hook", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://169.254.169.254/", False),
        ("ftp://127.0.0.1/", False),
        ("http://[broken", False),
        ("You can provide a callback URL", False),
    ],
)
def test_callbacks_go_to_loopback_only(url, expected):
    assert on_loopback(url) is expected


def test_a_request_is_carried_out_though_its_client_hung_up_at_once(wiro):
    body = b'{"prompt": "orphan"}'
    head = f"POST /v1{RUN} HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port_of(wiro))) as connection:
            connection.sendall(head.encode() + body)
    deadline = time.monotonic() + 5
    while len(wiro.simulator.ledger()) < 20 and time.monotonic() < deadline:
        wiro.http.get(wiro.origin + "/ledger")
    assert len(wiro.simulator.ledger()) == 20
