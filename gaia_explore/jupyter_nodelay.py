"""A Jupyter Server extension that sends what kernels say without delay, for explorers that follow the mouse.

Jupyter Server leaves Nagle's algorithm on for the websockets that join pages to kernels: a small message waits until
the one before it is acknowledged, which the browser's machine may put off for 40 ms. Explorers answer in small
messages, and feel it. Switch the extension on for one server::

    jupyter lab --ServerApp.jpserver_extensions=gaia_explore.jupyter_nodelay=True

or for all of yours, in ``jupyter_server_config.py``::

    c.ServerApp.jpserver_extensions = {"gaia_explore.jupyter_nodelay": True}

Source: RFC 896 (Nagle's algorithm); RFC 1122, section 4.2.3.2 (delayed acknowledgements);
``tornado.websocket.WebSocketHandler.set_nodelay``.
"""

from typing import Any

SETTING = "kernel_websocket_connection_class"
"""Where Jupyter Server (2.0 and later) keeps the class that joins one page to one kernel, gateways' own included."""


def prompt(connection: type[Any]) -> type[Any]:
    """A class of connections that sets TCP_NODELAY on its websocket, and is otherwise the one given."""

    class PromptConnection(connection):
        def connect(self) -> Any:
            try:
                self.websocket_handler.set_nodelay(True)
            except Exception as error:
                self.log.warning("gaia_explore.jupyter_nodelay could not set TCP_NODELAY: %r", error)
            return super().connect()

    return PromptConnection


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "gaia_explore.jupyter_nodelay"}]


def _load_jupyter_server_extension(server: Any):
    settings = server.web_app.settings
    if SETTING not in settings:
        server.log.warning("gaia_explore.jupyter_nodelay does nothing: this Jupyter Server has no %s", SETTING)
        return
    settings[SETTING] = prompt(settings[SETTING])
