"""Pages in a browser, which must not complain or ask for anything from outside."""

from __future__ import annotations

import re

import pytest
from draw.stepping.browser import FLAGS, Page, installed
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tinygrad_bp.draw import page


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """One browser for all tests of a file."""
    browser, driver = installed()
    options = Options()
    options.binary_location = browser
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    yield found
    found.quit()


@pytest.fixture
def show(chromium, tmp_path):
    """Opens the page of a loss. In the end there was no error, and no request but for the file."""

    def open_page(loss, **options):
        path = page(loss, tmp_path / "backprop.html", **options)
        chromium.get("about:blank")
        chromium.get_log("performance")
        chromium.get(path.as_uri())
        return Page(chromium)

    yield open_page
    assert chromium.get_log("browser") == []
    asked = [
        re.findall(r'"url":"([^"]*)"', line["message"])
        for line in chromium.get_log("performance")
        if '"Network.requestWillBeSent"' in line["message"]
    ]
    outside = [url for urls in asked for url in urls if not url.startswith(("file:", "data:"))]
    assert asked
    assert outside == []
