"""Nothing that we ship runs what it reads: no pickle, no eval, no shell, no loader that makes objects of text."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("src", "serving", "flows", "migrations")
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "jsonpickle",
    "telnetlib",
}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    ("torch", "load"), ("pd", "read_pickle"), ("pandas", "read_pickle"), ("os", "system"), ("os", "popen"),
    ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"),
}  # fmt: skip
# Figures of a package of public data come as a pickle: it is read after its SHA-256 was compared, outside the service.
ALLOWED = {"src/forecast/sources/sample.py": {"pickle"}}


def dangers(source: str) -> set[str]:
    """What a file should not use."""
    return {name for node in ast.walk(ast.parse(source)) for name in _of(node)}


def _of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names if name.name.partition(".")[0] in MODULES)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
        yield str(node.module)
    elif isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Name) and function.id in CALLS:
            yield function.id
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            called = (function.value.id, function.attr)
            yield from {f"{called[0]}.{called[1]}"} if called in METHODS else ()
        for keyword in node.keywords:
            true = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
            if keyword.arg in ("shell", "allow_pickle") and true:
                yield f"{keyword.arg}=True"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", {"pickle"}),
        ("from joblib import load", {"joblib"}),
        ("eval('1')", {"eval"}),
        ("network.eval()", set()),
        ("torch.load(path)", {"torch.load"}),
        ("yaml.safe_load(text)", set()),
        ("np.load(path, allow_pickle=True)", {"allow_pickle=True"}),
        ("run('ls', shell=True)", {"shell=True"}),
    ],
)
def test_dangers_are_seen(source: str, found: set[str]) -> None:
    assert dangers(source) == found


def test_what_is_shipped_runs_nothing_that_it_reads() -> None:
    files = [path for room in SHIPPED for path in sorted((ROOT / room).rglob("*.py"))]
    assert len(files) > 200
    met = {str(path.relative_to(ROOT)): dangers(path.read_text()) for path in files}
    met = {name: found - ALLOWED.get(name, set()) for name, found in met.items()}
    assert not {name: found for name, found in met.items() if found}
    assert not [name for name, found in met.items() if name.startswith("serving/") and name in ALLOWED]


def _audit() -> Any:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_audit_tells_found_from_not_looked() -> None:
    fine, weak = {"name": "a", "version": "1", "vulns": []}, {"id": "CVE-1", "fix_versions": ["2"]}
    bad, unknown = {"name": "b", "version": "1", "vulns": [weak]}, {"name": "c", "skip_reason": "not found"}
    audit = _audit()
    assert audit.judge([fine]) == (0, ["audit: none of 1 packages that were looked up has a known weakness"])
    assert audit.judge([fine, unknown])[0] == 2
    assert audit.judge([fine], 2)[0] == 2
    code, lines = audit.judge([], 3)
    assert (code, "NOT DONE for 3 of 3" in lines[0], len(lines)) == (2, True, 1)
    code, lines = audit.judge([fine, bad, unknown])
    assert code == 1
    assert "b 1: CVE-1, mended in 2" in lines
    assert audit.merged([[fine, unknown], [{**bad, "name": "c"}, {**bad, "name": "a"}]]) == [fine, {**bad, "name": "c"}]


class _Advisories(BaseHTTPRequestHandler):
    """As OSV answers: one package is weak."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        weak = asked["package"]["name"] == "weak"
        told = {"vulns": [{"id": "OSV-1", "modified": "2024-01-01T00:00:00Z", "affected": []}]} if weak else {}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_audit_asks_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("pip_audit")
    pins = tmp_path / "pins.txt"
    pins.write_text("# pins\nweak==1.0\nfine==2.0\n")
    audit = _audit()
    monkeypatch.setattr(audit, "SERVICES", ("osv",))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Advisories) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{server.server_port}/v1/query")
        assert audit.main(str(pins)) == 1
        assert "weak 1.0: OSV-1, mended in -" in capsys.readouterr().out
        pins.write_text("fine==2.0\n")
        assert audit.main(str(pins)) == 0
        server.shutdown()
    assert audit.main(str(pins)) == 2
    told = capsys.readouterr().out
    assert "osv could not be asked" in told
    assert "NOT DONE for 1 of 1" in told
