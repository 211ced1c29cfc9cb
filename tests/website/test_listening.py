"""Many who look on at one thing are served by one who looks."""

from __future__ import annotations

import asyncio
import threading

from modelworks.website._listening import listening

PATIENCE_SECONDS = 120.0
READERS = 300


class Said:
    """Something that grows, and counts how often it was looked at and read."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.looked = self.read = 0
        self._lock = threading.Lock()

    def look(self) -> int:
        with self._lock:
            self.looked += 1
        return len(self.lines)

    def after(self, place: str) -> list[str]:
        with self._lock:
            self.read += 1
        return self.lines[int(place) :]


async def hear(said: Said, number: int) -> list[str]:
    """So many lines, as one reader hears them."""
    found: list[str] = []
    async with listening("said", said.look, said.after) as one:
        look = None
        while len(found) < number:
            new = await one.next(look, PATIENCE_SECONDS)
            assert new is not None
            look = new
            found += await look.after(str(len(found)))
    return found


def test_many_readers_hear_everything_for_the_looks_and_reads_of_one() -> None:
    async def scene() -> None:
        said = Said()
        said.lines = ["one", "two"]
        readers = [asyncio.create_task(hear(said, 3)) for _ in range(READERS)]
        while said.read == 0:
            await asyncio.sleep(0)
        alone = asyncio.create_task(hear(said, 1))
        assert await asyncio.wait_for(alone, PATIENCE_SECONDS) == ["one", "two"]
        said.lines = ["one", "two", "three"]
        found = await asyncio.wait_for(asyncio.gather(*readers), PATIENCE_SECONDS)
        assert found == READERS * [["one", "two", "three"]]
        # Once what was there, and once what came; however long it took, one looked at a time.
        assert said.read == 2
        assert said.looked < READERS

    asyncio.run(scene())


def test_what_goes_wrong_in_looking_is_heard_by_all_and_looked_at_again_by_who_comes_back() -> None:
    async def scene() -> None:
        said = Said()
        said.look = broken  # type: ignore[method-assign]
        readers = [asyncio.create_task(hear(said, 1)) for _ in range(3)]
        found = await asyncio.gather(*readers, return_exceptions=True)
        assert [str(each) for each in found] == 3 * ["the database is away"]
        well = Said()
        well.lines = ["here"]
        assert await asyncio.wait_for(hear(well, 1), PATIENCE_SECONDS) == ["here"]

    asyncio.run(scene())


def broken() -> int:
    raise OSError("the database is away")


def test_who_has_patience_for_a_while_is_told_nothing_where_nothing_is_new() -> None:
    async def scene() -> None:
        said = Said()
        async with listening("said", said.look, said.after) as one:
            look = await one.next(None, PATIENCE_SECONDS)
            assert await one.next(look, 0.01) is None

    asyncio.run(scene())
