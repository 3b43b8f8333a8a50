"""A small API or worker in place of ours, for tests of the processes: ``stand_in.py api|worker [options]``.

It reads its settings as ours do. The API answers every path with them, as JSON, secrets in clear.
"""

import argparse
import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from pydantic import SecretStr

from app.processes.runtime import mark_ready
from app.settings import Settings


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(Settings().model_dump(), default=plain).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its signature)
        print("request", self.path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("--stubborn", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--dies", action="store_true", help="end with 3 before it is ready")
    parser.add_argument("--chatty", action="store_true", help="write without end")
    parser.add_argument("--grandchild", type=Path, help="start a process and write its id there")
    options = parser.parse_args()
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.grandchild:
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        options.grandchild.write_text(str(grandchild.pid), encoding="ascii")
    if options.dies:
        print("\n".join(f"line {number}" for number in range(1, 9)))
        sys.exit(3)
    if options.chatty:
        threading.Thread(target=chat, daemon=True).start()
    print("hello from", options.role)
    settings = Settings()
    if options.role == "api":
        HTTPServer(("127.0.0.1", settings.port), Handler).serve_forever()
    mark_ready(settings.data)
    threading.Event().wait()


def chat() -> None:
    while True:
        print("chat " * 200)
        time.sleep(0.001)


def plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


if __name__ == "__main__":
    main()
