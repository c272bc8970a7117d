from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.rig import Rig


@pytest.fixture
async def rig(store_path: Path) -> AsyncIterator[Rig]:
    """A store without an engine; the test starts one."""
    rig = Rig(store_path)
    yield rig
    await rig.close()
