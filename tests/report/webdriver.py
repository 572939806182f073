"""A browser for tests: Debian's chromium through chromedriver, spoken to in plain HTTP (W3C WebDriver)."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # Offline: every name resolves to nothing.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--hide-scrollbars",
]


def available() -> bool:
    """Whether chromium and chromedriver are installed."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Browser:
    """One browser with one page, offline."""

    def __init__(self, profile: Path, width: int = 1366, height: int = 900) -> None:
        self.profile = profile
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [str(shutil.which("chromedriver")), f"--port={self.port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.session = ""
        flags = [*FLAGS, f"--user-data-dir={profile}"]
        metrics = {
            "deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0, "touch": False, "mobile": True}
        }
        options = {"args": flags, "binary": shutil.which("chromium"), "mobileEmulation": metrics}
        always = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        for _ in range(100):
            try:
                answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": always}})
                self.session = answer["sessionId"]
                return
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None:
                    raise
                time.sleep(0.1)
        self.close()
        raise RuntimeError("chromedriver did not start")

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        prefix = f"/session/{self.session}" if self.session else ""
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{prefix}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()[:500]) from None

    def open(self, path: Path) -> None:
        """Open a file."""
        self._call("POST", "/url", {"url": path.resolve().as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page; ``return`` gives its value."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def tool(self, command: str, **parameters: Any) -> Any:
        """Run a command of the browser's developer tools."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def actions(self, kind: str, *steps: dict[str, Any]) -> None:
        """Do what a hand would: ``pointer``, ``key`` or ``wheel`` actions."""
        source: dict[str, Any] = {"type": kind, "id": kind, "actions": list(steps)}
        if kind == "pointer":
            source["parameters"] = {"pointerType": "mouse"}
        self._call("POST", "/actions", {"actions": [source]})

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.actions("key", *steps)

    def console(self) -> list[str]:
        """Messages of the console since the last call."""
        return [f"{row['level']}: {row['message']}" for row in self._call("POST", "/se/log", {"type": "browser"})]

    def picture(self, path: Path, whole: bool = True) -> None:
        """Save a picture of the page."""
        content = self.tool("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(content["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.tool("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {**size, "scale": 1}}

    def close(self) -> None:
        """End the browser that this object started."""
        try:
            if self.session:
                self._call("DELETE", "")
        except (RuntimeError, OSError):
            pass
        self.process.terminate()
        self.process.wait(timeout=10)
