"""Every Python block of the documentation runs, and prints what the page shows beneath it.

The blocks of a page run from top to bottom in one namespace, in an empty folder. A ``text`` or
``mermaid`` block right after a ``python`` block is what that block prints.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
import scipy.special  # noqa: F401 - so that its rules are among those that stay
from data.samples import mnist_or_stand_in
from matplotlib import pyplot

import tinygrad_bp as tg
from tinygrad_bp.core.registry import FUNCTIONS, LATE, PRIMITIVES
from tinygrad_bp.nn.registry import LAYERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SHOWN = ("text", "mermaid")


def blocks(text: str) -> list[tuple[str, str, int]]:
    """Language, content and line of each fenced block."""
    return [(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in FENCE.finditer(text)]


@pytest.fixture(autouse=True)
def _forget():
    """Leave the registry as it was, but for what is registered when first needed; and no figure."""
    for load in (*LATE, lambda: tg.grad):
        load()
    registries = (FUNCTIONS, PRIMITIVES, LAYERS)
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)
    pyplot.close("all")


@pytest.fixture(scope="module")
def mnist_folder(tmp_path_factory):
    return mnist_or_stand_in(tmp_path_factory.mktemp("mnist"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_python_of_a_page_runs_and_prints_what_it_shows(
    page, tmp_path, monkeypatch, mnist_folder
):
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    if "data.load_mnist()\n" in text:
        monkeypatch.setenv("TINYGRAD_BP_DATA", str(mnist_folder))
    namespace: dict[str, object] = {"__name__": "__main__"}
    found = blocks(text)
    for k, (language, source, line) in enumerate(found):
        following = found[k + 1] if k + 1 < len(found) else None
        if language != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (line - 1) + source, str(page), "exec"), namespace)
        if following and following[0] in SHOWN and _adjacent(text, line, source):
            assert printed.getvalue().rstrip() == following[1].rstrip(), f"{page}:{line}"
    if page.name == "examples.md":  # its pictures are those of programs, see test_examples.py
        return
    for name in re.findall(rf"\]\(images/{page.stem}/([\w.-]+)\)", text):
        made = tmp_path / name  # of a page in HTML, the picture is a screenshot
        assert made.exists() or made.with_suffix(".html").exists(), f"{page} does not save {name}"
        if made.suffix == ".svg":
            shown = page.parent / "images" / page.stem / name
            assert titles(shown) == titles(made), f"python docs/make_images.py {page.stem}"


def titles(svg: Path) -> list[str]:
    """What the boxes of a picture are called: another layout, or other digits, are no matter."""
    found = re.findall(r'font-weight="bold"[^>]*>([^<]+)<', svg.read_text())
    assert found
    return sorted(found)


def _adjacent(text: str, line: int, source: str) -> bool:
    """Whether nothing but blank lines stands between a block and the next fence."""
    after = text.splitlines()[line - 1 + source.count("\n") + 1 :]
    rest = next((part for part in after if part.strip()), "")
    return rest.startswith(tuple(f"```{language}" for language in SHOWN))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_index_has_every_page_and_every_program():
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "index.md"]
    programs = [f"../examples/{program.name}" for program in (ROOT / "examples").glob("*.*")]
    assert [name for name in pages + programs if f"]({name})" not in index] == []
