"""The page's files: whole, in two languages, and free of what a strict policy or a closed network would stop."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.page import FILES

OURS = sorted(path for path in FILES.rglob("*") if path.is_file() and "vendor" not in path.parts)
SCRIPTS = [path for path in OURS if path.suffix == ".js"]
MARKUP = (FILES / "index.html").read_text()
WORDS = {path.stem: json.loads(path.read_text()) for path in (FILES / "i18n").glob("*.json")}
BUILT = ("rung.", "reason.", "driver.", "missing.")
"""Keys whose end comes from the service; see `test_every_word_of_the_service_has_words`."""


GROUPS = {key.partition(".")[0] for key in WORDS["en"] if "." in key}


def _used() -> set[str]:
    """The keys that scripts and markup name in full."""
    text = "".join(path.read_text() for path in SCRIPTS)
    named = {key for key in re.findall(r'"([a-z]+\.[a-z0-9_]+)"', text) if key.partition(".")[0] in GROUPS}
    called = set(re.findall(r'\bt\("([^"]+)"', text))
    return named | called | set(re.findall(r'data-(?:words|label|hint)="([^"]+)"', MARKUP))


def test_both_languages_say_the_same() -> None:
    assert set(WORDS) == {"en", "pt-BR"}
    english, portuguese = WORDS["en"], WORDS["pt-BR"]
    assert list(english) == list(portuguese)
    for key, text in english.items():
        assert portuguese[key].strip()
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", portuguese[key])), key


def test_every_key_has_words_and_every_word_a_place() -> None:
    used = _used()
    assert used >= {"tile.peak_hour", "day.tomorrow", "state.fallback", "files.issued"}
    assert used - set(WORDS["en"]) == set()
    text = "".join(path.read_text() for path in SCRIPTS) + MARKUP
    idle = [key for key in WORDS["en"] if f'"{key}"' not in text and not key.startswith(BUILT)]
    assert idle == []


def test_every_word_of_the_service_has_words() -> None:
    rungs = ("champion", "previous", "seasonal_naive", "group_profile", "constant")
    reasons = (
        "stale", "incomplete", "weather", "stuck", "absurd", "non_finite", "implausible", "deadline", "error",
        "no_model",
    )  # fmt: skip
    groups = ("calendar", "weather", "inertia", "error correction")
    wanted = [f"rung.{one}" for one in rungs] + [f"reason.{one}" for one in reasons]
    assert set(wanted) | {f"driver.{one}" for one in groups} <= set(WORDS["en"])


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"""(?:https?:)?//[a-z0-9-]+\.[a-z]""", text)
    assert len(text.splitlines()) < 300


def test_no_script_or_style_stands_in_the_markup() -> None:
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", MARKUP)
    for path in SCRIPTS:
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path.name
        )
        assert not re.search(r"""["']style["']""", text), path.name


def test_everything_that_is_named_is_there() -> None:
    named = re.findall(r'(?:src|href)="/page/([^"]+)"', MARKUP)
    assert len(named) >= 6
    for path in SCRIPTS:
        named += re.findall(r'from "\./([^"]+)"', path.read_text())
    assert [name for name in named if not (FILES / name).is_file()] == []


def test_everything_is_labelled() -> None:
    names = set(re.findall(r'<label for="([^"]+)"', MARKUP))
    fields = set(re.findall(r'<(?:input|select) id="([^"]+)"', MARKUP))
    assert fields
    assert fields <= names
    for button in re.findall(r"<button[^>]*>.*?</button>", MARKUP, re.DOTALL):
        assert "data-label=" in button or re.search(r">[^<>]*\w[^<>]*</button>", button), button


def test_the_page_is_answered_with_a_strict_policy(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-cache", "nosniff")
    assert client.head("/").headers["etag"] == answer.headers["etag"]


def test_what_did_not_change_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/page/app.js")
    assert first.headers["content-type"].startswith("text/javascript")
    again = client.get("/page/app.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


def test_nothing_else_is_given_out(client: TestClient) -> None:
    for path in ("/page/nothing.js", "/page/..%2fapp.py", "/page/../page.py", "/page/"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_others_work_carries_its_licence() -> None:
    assert "MIT License" in (FILES / "vendor/uplot/LICENSE.txt").read_text()
    head = (FILES / "vendor/uplot/uPlot.min.js").read_text()[:80]
    version = re.search(r"uPlot \(v([\d.]+)\)", head)
    assert version is not None
    assert f"uPlot {version[1]}" in Path(__file__).parents[2].joinpath("NOTICE").read_text()
