"""`rl-align view`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from rl_align.report.view.reading import RunFolder


def view(folder: Path | str, out: str | None, max_mb: float, host: str, port: int | None, show: bool) -> None:
    """Serves the browser of a run folder, or writes it as one file.

    Args:
        folder: The run folder.
        out: The file; None serves.
        max_mb: Size of the file at most.
        host: Address to listen on.
        port: Port; None takes the usual one, or any that is free.
        show: Open the page in the person's browser.

    Raises:
        UserError: No run, a file that cannot be written, or an address that cannot be had.
    """
    run = RunFolder(folder)
    if out is not None:
        from rl_align.report.view.page import write_page

        print(write_page(run, out, max_mb))
        if show:
            webbrowser.open(Path(out).resolve().as_uri())
        return

    from rl_align.report.view.server import serve

    def told(address: str) -> None:
        print(f"{run.name}: {address} (end it with Ctrl-C)", flush=True)
        if show:
            webbrowser.open(address)

    serve(run, host, port, told)
