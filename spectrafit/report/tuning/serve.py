"""Serves the tuning page to a browser on this machine."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.server import Server

from spectrafit.errors import ConfigError
from spectrafit.report.tuning.choice import Choice
from spectrafit.report.tuning.numbers import Workbench
from spectrafit.report.tuning.page import document

__all__ = ["serve"]

_HERE = "127.0.0.1"


def serve(
    bench: Workbench,
    optimise: Callable[[], Choice],
    *,
    port: int = 0,
    browser: bool = True,
    ready: Callable[[str], Any] = print,
) -> None:
    """Serve the page on the loopback interface until the process is interrupted.

    Parameters
    ----------
    bench : Workbench
    optimise : callable
        See `page.document`.
    port : int
        0 for a free one.
    browser : bool
        Whether to open the page.
    ready : callable
        Called with the address.

    Raises
    ------
    ConfigError
        The port is taken.
    """

    def fill(doc: Any) -> None:
        document(bench, optimise, doc)

    with socket.socket() as tried:
        try:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((_HERE, port))
        except OSError as error:
            raise ConfigError(f"--port {port}: {error.strerror or error}; leave --port out for a free one") from error
    # Only this machine can connect, and only pages that this server gave out.
    server = Server({"/": Application(FunctionHandler(fill))}, port=port, address=_HERE)
    address = f"http://localhost:{server.port}/"
    server.start()
    ready(address)
    if browser:
        server.io_loop.add_callback(webbrowser.open, address)
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()
