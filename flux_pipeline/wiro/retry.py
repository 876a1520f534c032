"""Patience with reads that are not part of a run's schedule: exponential backoff with full jitter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_random_exponential

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


async def patiently(
    call: Callable[[], Awaitable[T]],
    *,
    again: Callable[[T], bool],
    attempts: int,
    longest: float = 30.0,
    sleep: Sleep = asyncio.sleep,
) -> T:
    """Call until `again` is content with the result or the attempts are used up, and return the last result.

    Pauses grow from about a second to `longest` seconds. What the call raises passes through at once.
    """

    def last(state: RetryCallState) -> T:
        assert state.outcome is not None
        result: T = state.outcome.result()
        return result

    retrying = AsyncRetrying(
        sleep=sleep,
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=1.0, max=longest),
        retry=retry_if_result(again),
        retry_error_callback=last,
    )

    async def attempt() -> T:
        return await call()

    return await retrying(attempt)
