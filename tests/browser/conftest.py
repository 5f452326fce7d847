"""One browser for all tests of a worker, and a demo of its own for each test."""

from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser import chromium

HERE = Path(__file__).parent


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    async with chromium.launched() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser):
    async with chromium.staged(browser) as one:
        yield one


@pytest.fixture(scope="session")
def library(cannot_run):
    """Return the path of a file that npm brought, for development only."""

    def found(name: str) -> Path:
        path = HERE / "node_modules" / name
        if not path.exists():
            cannot_run(f"{name.split('/')[0]} is missing; to bring it: npm ci --prefix tests/browser")
        return path

    return found
