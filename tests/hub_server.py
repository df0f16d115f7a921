"""A scripted Hugging Face Hub on this machine: serves folders as dataset repositories, the way the client asks for them."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


class Hub:
    """The server. `asked` lists what was asked for.

    Args:
        repos: ORG/NAME → folder.
        gated: Those whose files are refused.
    """

    def __init__(self, repos: dict[str, Path], gated: tuple[str, ...] = ()):
        self.repos, self.gated, self.asked = repos, gated, []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.answer(self)

            def do_POST(self) -> None:
                hub.answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: Any, posted: bytes = b"", body: bool = True) -> None:
        path = unquote(urlsplit(request.path).path)
        self.asked.append(f"{request.command} {path}")
        parts = path.strip("/").split("/")
        api = parts[0] == "api"
        repo, rest = "/".join(parts[1 + api : 3 + api]), parts[3 + api :]
        if repo not in self.repos:
            return self.send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})
        folder = self.repos[repo]
        if api and rest[:1] in ([], ["revision"]):
            if rest[1:] not in ([], ["main"], [COMMIT]):
                return self.send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"})
            files = [{"rfilename": str(p.relative_to(folder))} for p in self.files(folder)]
            return self.json(request, {"id": repo, "sha": COMMIT, "siblings": files, "private": False, "tags": []})
        if api and rest[0] == "tree":
            below = "/".join(rest[2:])
            return self.json(request, [e for e in self.entries(folder) if not below or e["path"].startswith(f"{below}/")])
        if api and rest[0] == "paths-info":
            wanted = json.loads(posted)["paths"]
            return self.json(request, [e for e in self.entries(folder) if e["path"] in wanted])
        if not api and rest[0] == "resolve":
            if repo in self.gated:
                return self.send(request, 403, b"", {"X-Error-Code": "GatedRepo"})
            return self.file(request, folder / "/".join(rest[2:]), body)
        return self.send(request, 404, b"")

    def files(self, folder: Path) -> list[Path]:
        return sorted(p for p in folder.rglob("*") if p.is_file())

    def entries(self, folder: Path) -> list[dict[str, Any]]:
        sizes = {p.relative_to(folder): p.stat().st_size for p in self.files(folder)}
        folders = {parent: 0 for path in sizes for parent in path.parents if str(parent) != "."}
        kinds = (("directory", folders), ("file", sizes))
        return [{"type": kind, "path": str(p), "size": n, "oid": "0" * 40} for kind, found in kinds for p, n in found.items()]

    def file(self, request: Any, path: Path, body: bool) -> None:
        if not path.is_file():
            return self.send(request, 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        data = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if spans := request.headers.get("Range"):
            first, _, last = spans.removeprefix("bytes=").partition("-")
            part = data[int(first) : int(last) + 1 if last else None]
            headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
            return self.send(request, 206, part, headers)
        return self.send(request, 200, data, headers, body)

    def json(self, request: Any, value: Any) -> None:
        self.send(request, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, request: Any, status: int, data: bytes, headers: dict[str, str] | None = None, body: bool = True) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        if body and request.command != "HEAD":
            request.wfile.write(data)
