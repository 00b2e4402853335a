"""A page as headless Chromium shows it."""

import subprocess
import tempfile

import demo

# The page's own clock: scripts and answers run as fast as they can until it is over.
VIRTUAL_MS = 8000


def _chromium(url, *flags):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-proxy-server"]
            + [f"--user-data-dir={profile}", f"--virtual-time-budget={VIRTUAL_MS}", *flags, url],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=2 * demo.PATIENCE_S,
        ).stdout


def dom(url):
    """The document after its scripts have run."""
    return _chromium(url, "--window-size=1280,1400", "--dump-dom")


def screenshot(url, width, height, file):
    _chromium(url, f"--window-size={width},{height}", f"--screenshot={file}")


def console_page(prometheus, seconds):
    """The address of the page with curves over the last `seconds`."""
    return f"{prometheus}/consoles/memory_savings.html#pctc%7B%22duration%22%3A{seconds}%2C%22endTime%22%3A0%7D"
