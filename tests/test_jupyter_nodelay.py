import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from websocket import create_connection

import gaia_explore.jupyter_nodelay as nodelay

PATIENCE = 120
"""Seconds to wait for a server or a kernel on a busy machine."""

SPY = """import json, os, socket
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

def _jupyter_server_extension_points():
    return [{"module": "spy"}]

def _load_jupyter_server_extension(server):
    heard = KernelWebsocketHandler.on_message

    def on_message(self, message):
        own = self.ws_connection.stream.socket
        value = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with open("seen.part", "w") as file:
            json.dump(value, file)
        os.replace("seen.part", "seen.json")
        heard(self, message)

    KernelWebsocketHandler.on_message = on_message
"""
"""An extension of a server that writes down whether the websocket on which a message comes has TCP_NODELAY."""


class Log:
    def __init__(self):
        self.warnings: list[str] = []

    def warning(self, text: str, *values: Any):
        self.warnings.append(text % values)


class Connection:
    """Stands in for Jupyter Server's: it says what was called, in which order."""

    def __init__(self, handler: Any):
        self.websocket_handler, self.log = handler, Log()

    def connect(self) -> str:
        self.websocket_handler.calls.append("connect")
        return "what Jupyter Server waits for"


class Handler:
    def __init__(self):
        self.calls: list[Any] = []

    def set_nodelay(self, value: bool):
        self.calls.append(value)


def server_with(**settings: Any) -> SimpleNamespace:
    return SimpleNamespace(web_app=SimpleNamespace(settings=settings), log=Log())


def test_the_extension_is_where_jupyter_server_looks_for_it():
    assert nodelay._jupyter_server_extension_points() == [{"module": nodelay.__name__}]


def test_a_connection_sets_nodelay_before_it_is_made_and_is_otherwise_the_same():
    server = server_with(kernel_websocket_connection_class=Connection)
    nodelay._load_jupyter_server_extension(server)
    connection = server.web_app.settings["kernel_websocket_connection_class"](Handler())
    assert isinstance(connection, Connection)
    assert connection.connect() == "what Jupyter Server waits for"
    assert connection.websocket_handler.calls == [True, "connect"]
    assert not server.log.warnings and not connection.log.warnings


def test_a_websocket_that_cannot_be_told_is_joined_to_its_kernel_all_the_same():
    connection = nodelay.prompt(Connection)(SimpleNamespace(calls=[]))
    assert connection.connect() == "what Jupyter Server waits for"
    assert connection.websocket_handler.calls == ["connect"]
    (warning,) = connection.log.warnings
    assert warning.startswith("gaia_explore.jupyter_nodelay could not set TCP_NODELAY: AttributeError(")


def test_a_server_without_such_connections_is_left_alone():
    server = server_with(other=1)
    nodelay._load_jupyter_server_extension(server)
    assert server.web_app.settings == {"other": 1}
    assert server.log.warnings == [
        "gaia_explore.jupyter_nodelay does nothing: this Jupyter Server has no kernel_websocket_connection_class"
    ]


def wait_for(thing: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE
    while not (found := thing()):
        if time.monotonic() > until:
            raise TimeoutError(f"{what} must be there within {PATIENCE} seconds")
        time.sleep(0.05)
    return found


def answers(url: str) -> bool:
    # The server says where it is a moment before it listens.
    try:
        urlopen(url, timeout=PATIENCE).close()
    except URLError:
        return False
    return True


@contextmanager
def serving(folder: Path, *extensions: str) -> Iterator[tuple[str, str]]:
    """A Jupyter Server with these extensions that works in a folder: its address and its token."""
    (folder / "spy.py").write_text(SPY)
    token = secrets.token_hex()
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port=0", f"--notebook-dir={folder}"]
    options += [f"--ServerApp.jpserver_extensions={name}=True" for name in extensions]
    paths = os.pathsep.join([str(folder), *sys.path])
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options],
            env={**os.environ, **own, "PYTHONPATH": paths, "JUPYTER_TOKEN": token},
            cwd=folder,
            stdout=log,
            stderr=log,
        ) as server,
    ):
        try:
            about = folder / "RUNTIME" / f"jpserver-{server.pid}.json"
            wait_for(about.exists, "Jupyter Server")
            url = json.loads(about.read_text())["url"]
            wait_for(lambda: answers(f"{url}api"), "Jupyter Server's answer")
            yield url, token
        finally:
            server.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("extensions, value", [((), 0), (("gaia_explore.jupyter_nodelay",), 1)])
def test_the_websocket_of_a_real_server_has_nodelay_where_the_extension_is_on(
    tmp_path: Path, extensions: tuple[str, ...], value: int
):
    with serving(tmp_path, "spy", *extensions) as (url, token):
        signed = {"Authorization": f"token {token}"}
        with urlopen(Request(f"{url}api/kernels", b"{}", signed, method="POST"), timeout=PATIENCE) as answer:
            kernel = json.load(answer)["id"]
        address = f"ws{url.removeprefix('http')}api/kernels/{kernel}/channels?session_id=a"
        page = create_connection(address, timeout=PATIENCE, header=signed)
        request = {"header": {"msg_id": "1", "msg_type": "kernel_info_request", "session": "a", "version": "5.3"}}
        page.send(json.dumps({**request, "parent_header": {}, "metadata": {}, "content": {}, "channel": "shell"}))
        seen = tmp_path / "seen.json"
        wait_for(seen.exists, "the message")
        # The kernel still answers.
        while json.loads(page.recv())["header"]["msg_type"] != "kernel_info_reply":
            pass
        page.close()
    assert json.loads(seen.read_text()) == value
