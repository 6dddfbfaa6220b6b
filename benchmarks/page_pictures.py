"""The pictures of the page in docs/, taken in Chromium before a real service: python benchmarks/page_pictures.py"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/serving")]

from page_story import settings_at, tell  # noqa: E402

import serving  # noqa: E402
from forecast.recipes import RIDGE  # noqa: E402

COLOURS = 192
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "locale": "pt-BR",
    "device_scale_factor": 1.5,
}


def main() -> None:
    """Fills a store, serves it, and takes two pictures."""
    with tempfile.TemporaryDirectory() as room:
        settings = settings_at(Path(room))
        model = tell(settings, RIDGE, too_high=(0.994, 1.005))
        with serving.running(settings, model) as address, sync_playwright() as browsers:
            browser = browsers.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            take(browser, address, ROOT / "docs/page.png", viewport={"width": 1440, "height": 900}, locale="en-US")
            take(browser, address, ROOT / "docs/page-phone.png", **PHONE)
            browser.close()


def take(browser: Browser, address: str, path: Path, **look: Any) -> None:
    """One picture, with few colours, so that it stays small."""
    page = browser.new_context(reduced_motion="reduce", **look).new_page()
    page.goto(f"{address}/#series=S%C3%A3o+Paulo")
    page.locator("#drivers > *").first.wait_for()
    page.screenshot(path=path, full_page=look["viewport"]["width"] > 1000)
    Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
