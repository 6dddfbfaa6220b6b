"""The page in a real browser, before a real service with a real store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

import serving
from forecast import clock
from forecast.calendars import delivery_day
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving.bodies import ForecastRequest
from serving.keys import Keys
from tests.serving.page_story import UNTIL, ZONES, arrive, settings_at, tell

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]
NAME = "north/7"
WIDE, PHONE = {"width": 1500, "height": 1000}, {"width": 360, "height": 780}


@dataclass
class Seen:
    """What pages did in the background."""

    address: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> Page:
        page.on("request", lambda one: self._leaves(one.url) and self.foreign.append(one.url))
        page.on("console", lambda one: one.type in ("error", "warning") and self.complaints.append(one.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _leaves(self, url: str) -> bool:
        return not url.startswith((self.address, "data:", "blob:"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_at(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def model(home: Settings) -> Forecaster:
    return tell(home)


@pytest.fixture(scope="module")
def address(home: Settings, model: Forecaster) -> Iterator[str]:
    with serving.running(home, model) as one:
        yield one


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as browsers:
        one = browsers.chromium.launch(executable_path=str(chromium), args=FLAGS)
        yield one
        one.close()


@pytest.fixture
def seen(address: str) -> Iterator[Seen]:
    """Nothing may leave the machine, nothing may complain: checked after each test."""
    one = Seen(address)
    yield one
    assert one.foreign == []
    if "options" not in ForecastRequest.model_fields:
        one.complaints = [text for text in one.complaints if "status of 422" not in text]
    assert one.complaints == []


def look(browser: Browser, seen: Seen, name: str = NAME, day: str | None = None, **context: Any) -> Page:
    """The page of a series, drawn."""
    page = browser.new_context(**{"viewport": WIDE, "locale": "en-US", "reduced_motion": "reduce"} | context).new_page()
    page.set_default_timeout(15_000)
    seen.watch(page).goto(f"{seen.address}/#series={quote(name, safe='')}" + (f"&day={day}" if day else ""))
    return drawn(page)


def drawn(page: Page) -> Page:
    expect(page.locator("#chart-card")).to_have_attribute("aria-busy", "false", timeout=15_000)
    expect(page.locator("#trouble")).to_be_hidden()
    return page


def value(page: Page, name: str) -> Locator:
    return page.locator(f"[data-value='{name}']")


def today() -> str:
    return str(clock.now().tz_convert(ZONES[NAME]).date())


def later(days: int) -> str:
    return str(clock.now().tz_convert(ZONES[NAME]).date() + timedelta(days=days))


def number(text: str) -> float:
    """A number of the English page."""
    return float(re.sub(r"[^\d.-]", "", text.replace("−", "-")))


def readings(page: Page) -> list[str]:
    """What the cursor says at every period, by keyboard."""
    chart = page.locator("#chart")
    chart.focus()
    chart.press("Home")
    said = [str(chart.get_attribute("aria-valuetext"))]
    for _ in range(int(str(chart.get_attribute("aria-valuemax")))):
        chart.press("ArrowRight")
        said.append(str(chart.get_attribute("aria-valuetext")))
    return said


def test_a_series_is_picked_by_keyboard(browser: Browser, seen: Seen) -> None:
    page = look(browser, seen)
    expect(page.locator("#series")).to_have_value(NAME)
    page.locator("#series").focus()
    page.keyboard.type("sao")
    expect(page.locator("#offers [role=option]")).to_have_text(["São Paulo"])
    with page.expect_response("**/skill*"):
        page.keyboard.press("Enter")
    drawn(page)
    expect(page.locator("#chart-title")).to_contain_text("São Paulo")
    assert "series=S%C3%A3o+Paulo" in page.url
    page.keyboard.press("ArrowDown")
    assert page.locator("#offers [role=option]").count() == len(ZONES)
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.reload()
    expect(page.locator("#chart-title")).to_contain_text("São Paulo")


def test_history_fan_and_earlier_forecasts_are_those_of_the_service(browser: Browser, seen: Seen) -> None:
    answers: list[dict[str, Any]] = []
    page = browser.new_page(viewport=WIDE, locale="en-US")
    page.on("response", lambda one: one.request.method == "POST" and one.ok and answers.append(one.json()))
    seen.watch(page).goto(f"{seen.address}/#series={quote(NAME, safe='')}&day={later(1)}")
    said = readings(drawn(page))
    measured = [one for one in said if "Measured" in one]
    expected = [one for one in said if "Forecast (median)" in one]
    assert len(measured) >= 48
    begin, end = delivery_day(later(1), ZONES[NAME])
    told = [one["forecasts"][0] for one in answers]
    whole = next(one for one in told if pd.Timestamp(one["ds"][0]) == begin)
    last = expected[-1]
    assert re.search(r"23:00–00:00", last)
    assert number(re.search(r"median\) ([\d.,]+) MW", last)[1]) == pytest.approx(
        whole["quantiles"]["q0.5"][-1], rel=1e-3
    )  # type: ignore[index]
    band = re.search(r"80% band ([\d.,]+) – ([\d.,]+) MW", last)
    assert band is not None
    assert number(band[1]) == pytest.approx(whole["quantiles"]["q0.1"][-1], rel=1e-3)
    assert number(band[2]) == pytest.approx(whole["quantiles"]["q0.9"][-1], rel=1e-3)
    # From now to the end of tomorrow the fan has no hole.
    ahead = (end - clock.now().ceil("h")) // pd.Timedelta("1h")
    assert ahead - 1 <= len(expected) <= ahead
    page.click("#today")
    expect(page.locator("#today")).to_have_attribute("aria-pressed", "true")
    drawn(page)
    expect(page.locator("#legend")).to_contain_text("Earlier forecasts")
    assert any("Earlier forecast" in one and "Measured" in one for one in readings(page)) or begin > UNTIL


def test_tiles_say_what_the_service_says(browser: Browser, seen: Seen, address: str) -> None:
    with browser.new_page(viewport=WIDE, locale="en-US") as page:
        with page.expect_response(lambda one: one.ok and later(1) in (one.request.post_data or "")) as asked:
            seen.watch(page).goto(f"{seen.address}/#series={quote(NAME, safe='')}&day={later(1)}")
        told = asked.value.json()["forecasts"][0]
        drawn(page)
        peak = told.get("peak")
        wanted = peak["value"]["q0.5"] if peak else max(told["quantiles"]["q0.5"])
        assert number(value(page, "peak").inner_text()) == pytest.approx(wanted, rel=1e-3)
        if peak:
            best = max(peak["hour"], key=lambda one: one["probability"])
            hour = pd.Timestamp(best["ds"]).tz_convert(ZONES[NAME])
            expect(value(page, "peak-hour")).to_contain_text(f"{hour:%H}:")
            expect(value(page, "peak-hour")).to_contain_text(f"{100 * best['probability']:.0f}%")
        skill = httpx.get(f"{address}/v1/series/{quote(NAME, safe='')}/skill").json()["scored"]
        assert skill is not None
        assert number(value(page, "mae").inner_text()) == pytest.approx(skill["mae"], rel=1e-3)
        expect(value(page, "skill")).to_contain_text(f"{abs(100 * skill['skill']):.0f}%")
        served = httpx.get(f"{address}/v1/models").json()["models"][0]
        expect(value(page, "model")).to_contain_text(served["name"])
        expect(page.locator("#tile-model")).to_contain_text(served["recipe"])
        expect(page.locator("#tile-model")).to_contain_text("Champion" if told["rung"] == "champion" else "Last week")
        expect(page.locator("#tile-fresh")).to_contain_text(f"{UNTIL.tz_convert(ZONES[NAME]):%-I:00}")


def test_a_day_that_is_over_shows_what_was_said_before_it(browser: Browser, seen: Seen, address: str) -> None:
    page = look(browser, seen, day=later(-1))
    expect(page.locator("#note")).to_contain_text("before the day began")
    entry = httpx.get(f"{address}/v1/forecasts/0-1-3").json()["forecasts"][0]
    highest = max(entry["quantiles"]["q0.5"])
    assert number(value(page, "peak").inner_text()) == pytest.approx(highest, rel=1e-3)
    expect(page.locator("#tile-peak")).to_contain_text("Measured")
    expect(page.locator("#issue")).to_be_disabled()
    with page.expect_download() as taken:
        page.get_by_role("button", name="JSON").click()
    assert json.loads(Path(taken.value.path()).read_text())["forecasts"][0]["unique_id"] == NAME


def test_values_arrive_by_themselves_and_the_focus_stays(browser: Browser, seen: Seen, home: Settings) -> None:
    context = browser.new_context(viewport=WIDE, locale="en-US")
    page = context.new_page()
    page.clock.install()
    seen.watch(page).goto(f"{seen.address}/#series=west")
    drawn(page)
    before = page.locator("#tile-fresh").inner_text()
    page.locator("#numbers summary").focus()
    arrive(home, "west")
    with page.expect_response("**/v1/series/west/observations*"):
        page.clock.fast_forward(61_000)
    expect(page.locator("#tile-fresh")).not_to_have_text(before)
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    # None while nobody looks.
    page.select_option("#refresh", "0")
    page.wait_for_load_state("networkidle")  # what was asked for before is still being answered
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.clock.fast_forward(3_600_000)
    page.wait_for_timeout(200)
    assert asked == []


def test_both_languages(browser: Browser, seen: Seen) -> None:
    page = look(browser, seen, name="São Paulo", locale="pt-BR")
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    expect(page.get_by_role("heading", name="Previsão de demanda")).to_be_visible()
    assert re.search(r"\d{2}\.\d{3} MW", value(page, "peak").inner_text())
    page.select_option("#language", "en")
    expect(page.get_by_role("heading", name="Demand forecast")).to_be_visible()
    expect(value(page, "peak")).to_have_text(re.compile(r"\d{2},\d{3} MW"))
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_light_and_dark(browser: Browser, seen: Seen) -> None:
    page = look(browser, seen, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    light = page.evaluate(ground)
    assert sum(map(int, re.findall(r"\d+", dark))) < 120 < 600 < sum(map(int, re.findall(r"\d+", light)))
    page.reload()
    assert page.evaluate(ground) == light
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert page.evaluate(CONTRAST) == [], theme


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, seen: Seen) -> None:
    for locale in ("en-US", "pt-BR"):
        page = look(browser, seen, viewport=PHONE, locale=locale)
        page.locator("#numbers summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate(WIDE_ONES) == []


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_hold_the_forecast(browser: Browser, seen: Seen, tmp_path: Path, ending: str) -> None:
    page = look(browser, seen, day=later(1))
    with page.expect_download() as taken:
        page.locator(f"[data-ending={ending}]").click()
    assert taken.value.suggested_filename == f"north-7_{later(1)}.{ending}"
    taken.value.save_as(path := tmp_path / f"f.{ending}")
    table = pd.read_csv(path) if ending == "csv" else pq.read_table(path).to_pandas()
    assert set(table["unique_id"]) == {NAME}
    assert {"ds", "mean", "q0.1", "q0.9"} <= set(table.columns)
    begin, end = delivery_day(later(1), ZONES[NAME])
    assert len(table) == (end - begin) // pd.Timedelta("1h")


def test_a_forecast_is_issued_for_the_record(browser: Browser, seen: Seen, address: str) -> None:
    page = look(browser, seen, day=later(1))
    page.get_by_role("button", name="Issue and record").click()
    expect(page.locator("#done")).to_contain_text("Recorded as")
    id = page.locator("#done").inner_text().removeprefix("Recorded as ").rstrip(".")
    assert httpx.get(f"{address}/v1/forecasts/{id}").json()["forecasts"][0]["unique_id"] == NAME


def test_everything_is_reached_and_named(browser: Browser, seen: Seen) -> None:
    page = look(browser, seen)
    page.locator("body").press("Tab")
    visited = []
    for _ in range(40):
        visited.append(page.evaluate(FOCUSED))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or visited[-1] == "BODY", visited[-1]
        page.keyboard.press("Tab")
    assert visited[0] == "skip"
    wanted = ["series", "day-before", "day", "day-after", "today", "tomorrow", "refresh", "language", "theme", "chart",
              "issue"]  # fmt: skip
    assert [one for one in dict.fromkeys(visited) if one in wanted] == wanted
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(DOUBLED) == []
    chart = page.get_by_role("slider", name=re.compile("Chart of demand"))
    chart.focus()
    page.keyboard.press("End")
    assert chart.get_attribute("aria-valuenow") == chart.get_attribute("aria-valuemax")
    page.locator("#numbers summary").press("Enter")
    expect(page.get_by_role("columnheader").first).to_be_visible()
    assert page.get_by_role("row").count() in (24, 25, 26)
    assert page.get_by_role("columnheader").count() >= 4


def test_days_of_every_length(browser: Browser, seen: Seen) -> None:
    page = look(browser, seen)
    days = [("2026-03-29", "Europe/Lisbon"), ("2026-10-25", "Europe/Lisbon"), ("2026-04-05", "Australia/Lord_Howe"),
            ("2026-10-04", "Australia/Lord_Howe"), ("2018-11-04", "America/Sao_Paulo"), ("2026-06-01", "+10:00"),
            ("2026-10-25", "days:Europe/Lisbon")]  # fmt: skip
    for day, zone in days:
        told = page.evaluate(BOUNDS, [day, zone])
        wanted = delivery_day(day, zone.removeprefix("days:"))
        assert told == [one.value / 1e6 for one in wanted], (day, zone)


def test_an_empty_store_says_what_to_do(browser: Browser, tmp_path: Path, model: Forecaster) -> None:
    with serving.running(settings_at(tmp_path), model) as address:
        seen = Seen(address)
        page = browser.new_page(locale="en-US")
        seen.watch(page).goto(address)
        expect(page.locator("#empty")).to_contain_text("forecast ingest")
        expect(page.locator("#chart-card")).to_be_hidden()
        assert page.get_by_role("link", name="API").get_attribute("href") == "/docs"
        assert (seen.foreign, seen.complaints) == ([], [])


def test_without_a_model_the_fallback_is_shown(browser: Browser, seen: Seen, home: Settings) -> None:
    with serving.running(home) as address:
        page = browser.new_page(viewport=WIDE, locale="en-US")
        page.goto(f"{address}/#series={quote(NAME, safe='')}")
        drawn(page)
        expect(page.locator("#state")).to_contain_text("Fallback in use: Last week repeated. Why: no model is loaded.")
        expect(value(page, "model")).to_have_text("No model")
        assert number(value(page, "peak").inner_text()) > 0


def test_a_store_that_is_down_is_said_in_words(browser: Browser, tmp_path: Path, model: Forecaster) -> None:
    settings = settings_at(tmp_path, store=f"sqlite:///{tmp_path}/no/such/folder/store.db")
    (tmp_path / "no").write_text("a file where a folder should be")
    with serving.running(settings, model) as address:
        page = browser.new_page(locale="en-US")
        page.goto(address)
        expect(page.locator("#trouble")).to_be_visible()
        assert len(page.locator("#trouble").inner_text()) > 40
        expect(page.locator("#state")).to_have_text("The service could not answer.")


def test_a_service_that_went_away_is_said_and_what_was_known_stays(browser: Browser, seen: Seen) -> None:
    page = look(browser, seen)
    before = value(page, "peak").inner_text()
    page.context.set_offline(True)
    page.click("#tomorrow")
    expect(page.locator("#state")).to_contain_text("does not answer")
    assert value(page, "peak").inner_text() == before
    page.context.set_offline(False)
    page.click("#today")
    drawn(page)
    # The browser's own lines about requests that failed.
    seen.complaints = [
        one for one in seen.complaints if "ERR_INTERNET_DISCONNECTED" not in one and "Failed to fetch" not in one
    ]


def test_a_key_is_asked_for_once(browser: Browser, home: Settings, model: Forecaster, tmp_path: Path) -> None:
    settings = home.model_copy(update={"keys_file": tmp_path / "keys.json"})
    keys, token = Keys().added("shift", ["forecast"])
    keys.write(settings.key_file)
    with serving.running(settings, model) as address:
        page = browser.new_page(locale="en-US")
        page.goto(f"{address}/#series={quote(NAME, safe='')}")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.type("fk_wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#key-why")).to_contain_text("does not accept")
        page.keyboard.type(token)
        page.keyboard.press("Enter")
        drawn(page)
        expect(value(page, "peak")).to_have_text(re.compile("MW"))
        assert token not in page.evaluate("JSON.stringify(localStorage)")
        page.reload()
        drawn(page)
        expect(page.get_by_role("dialog")).to_have_count(0)


BOUNDS = """async ([day, zone]) => {
  const clock = await import('/page/clock.js');
  return [clock.dayStart(day, zone), clock.dayEnd(day, zone)];
}"""

WIDE_ONES = """[...document.querySelectorAll('main *')].filter((e) => (
  !e.closest('.scroll') && e.getBoundingClientRect().right > 360.5
)).map((e) => e.outerHTML.slice(0, 90))"""

FOCUSED = "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"

DOUBLED = """[...document.querySelectorAll('[id]')].map((e) => e.id)
  .filter((id, at, all) => all.indexOf(id) !== at)"""

NAMELESS = """[...document.querySelectorAll('button, a, input, select, [tabindex="0"]')].filter((e) => !(
  e.getAttribute('aria-label') || e.textContent.trim() || (e.id && document.querySelector(`label[for="${e.id}"]`))
)).map((e) => e.outerHTML)"""

CONTRAST = """(() => {
  const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (e) => {
    const colour = numbers(getComputedStyle(e).backgroundColor);
    return colour.length < 4 || colour[3] > 0.99 || !e.parentElement ? colour : ground(e.parentElement);
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *:not(svg *):not(script):not(option)')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.offsetParent || e.disabled) continue;
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(`${e.tagName} ${e.className} ${e.textContent.slice(0, 30)}`);
  }
  return poor;
})()"""
