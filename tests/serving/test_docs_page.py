"""The API's own page in a real browser, on a machine that reaches nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

import serving
from forecast.forecaster import Forecaster
from forecast.settings import Settings

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]


@pytest.fixture
def foreign() -> list[str]:
    """Addresses other than the service's that the page asked for."""
    return []


def test_an_example_runs_from_the_page(
    chromium: Path, plain: Forecaster, settings: Settings, foreign: list[str], tmp_path: Path
) -> None:
    with serving.running(settings.model_copy(update={"port": 0}), plain) as address, sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=str(chromium), args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1600})
        page.on("request", lambda request: foreign.append(request.url) if _leaves(request.url, address) else None)
        page.goto(f"{address}/docs")
        page.locator(".opblock-post .opblock-summary-control").first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
        expect(page.locator(".live-responses-table")).to_contain_text("quantiles")
        page.screenshot(path=tmp_path / "docs.png")
        browser.close()
    assert foreign == []


def _leaves(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))
