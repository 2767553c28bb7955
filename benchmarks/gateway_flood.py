"""Many jobs at once through the official SDK: run in an environment that has `comfy-sdk`.

Arguments: the address, the number of jobs, and of how many the events are read. Prints JSON: the number of jobs by
state, streams that lost an event, and seconds.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from typing import Any

from comfy_sdk import AsyncComfy  # type: ignore[import-not-found]  # it is in an environment of its own

AT_ONCE = 100


def graph(number: int) -> dict[str, Any]:
    image = {"width": 16, "height": 16, "batch_size": 1, "color": number % (1 << 24)}
    return {
        "1": {"class_type": "EmptyImage", "inputs": image},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


async def is_whole(job: Any) -> bool:
    """Whether the stream told of the end, and of the one output if the job still waited when the stream began: what
    was before is in the job's record only."""
    outputs, states = 0, []
    async for event in job.events():
        if type(event).__name__ == "OutputReady":
            outputs += 1
        states.append(getattr(event, "status", ""))
    told = [state for state in states if state]
    return told[-1] == "succeeded" and (outputs == 1 or (outputs == 0 and told[0] != "queued"))


async def main() -> None:
    os.environ["COMFY_BASE_URL"] = sys.argv[1]
    jobs, streams = map(int, sys.argv[2:4])
    client = AsyncComfy(timeout=None)
    first, began = int(time.time() * 1000), time.monotonic()
    accepted: list[Any] = []
    reading: list[asyncio.Task[bool]] = []

    async def submit(number: int) -> None:
        job = await client.submit(client.workflows.from_json(graph(first + number)))
        accepted.append(job)
        if len(reading) < streams:
            reading.append(asyncio.create_task(is_whole(job)))

    for start in range(0, jobs, AT_ONCE):
        await asyncio.gather(*(submit(n) for n in range(start, min(start + AT_ONCE, jobs))))
    lost = (await asyncio.gather(*reading)).count(False)
    states = Counter([(await job.wait()).status for job in accepted])
    json.dump({"states": states, "lost": lost, "seconds": time.monotonic() - began}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
