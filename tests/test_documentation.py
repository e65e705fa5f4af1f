"""README and docs: every Python block runs, every link leads somewhere, and the site builds without a warning."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from armillary.training.recipes import RECIPES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LESS = {"episodes=200": "episodes=30", "range(100)": "range(12)", "pairs=100": "pairs=2"}
"""What a page asks for, and the little that shows that it runs; training is cut to a few steps a stage."""


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if PYTHON.search(page.read_text())], ids=name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    pytest.importorskip("lance", reason="pages record: pip install 'armillary[all]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("armillary.evaluation.run.SCENES", 2)
    for recipe, made in RECIPES.items():
        monkeypatch.setitem(RECIPES, recipe, replace(made, stages=tuple(replace(stage, steps=4) for stage in made.stages)))
    names = {"__name__": "page"}
    for block in PYTHON.finditer(page.read_text()):
        code = block[1]
        for much, little in LESS.items():
            code = code.replace(much, little)
        line = page.read_text().count("\n", 0, block.start()) + 1
        exec(compile("\n" * line + code, str(page), "exec"), names)  # errors name the line of the page


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_files_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = page.parent / parts.path if parts.path else page
        assert target.exists(), link
        if page.name != "README.md" or page.parent != ROOT:  # what is not in docs/ is not on the site
            assert (ROOT / "docs") in target.resolve().parents, link
        assert not parts.fragment or parts.fragment in anchors(target), link


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


class Site(HTMLParser):
    """What a page of the site links to and loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag, attrs):
        self.links += [value for key, value in attrs if key in ("href", "src") and value]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built from a copy of what it is made of."""
    if not find_spec("zensical") or not find_spec("mkdocstrings_handlers"):
        pytest.skip("the site is built by zensical: pip install 'armillary[docs]'")
    copy = tmp_path_factory.mktemp("site")
    for part in ("docs", "armillary"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "zensical.toml", copy)
    built = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=copy, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return copy / "site"


def test_the_site_has_every_page_and_no_dead_link(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in PAGES[1:]}
    there = {
        path for path in pages if (site / (path.parent if path.name in ("index", "README") else path) / "index.html").exists()
    }
    assert there == pages
    dead = []
    for html in site.rglob("index.html"):
        for link in Site(html).links:
            parts = urlsplit(link)
            target = html.parent / unquote(parts.path)
            if not parts.scheme and not parts.netloc and not target.exists():
                dead.append(f"{html.relative_to(site)}: {link}")
    assert not dead


def test_the_reference_has_what_the_front_door_offers(site):
    import armillary as arm

    inventory = "".join(path.read_text() for path in (site / "reference").rglob("index.html"))
    for offered in arm.__all__:
        thing = getattr(arm, offered)
        assert f'id="{thing.__module__}.{thing.__qualname__}"' in inventory, offered


def test_the_modules_of_the_reference_exist():
    named = [module for page in PAGES for module in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)]
    assert len(named) > 50
    assert [module for module in named if not find_spec(module)] == []


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "zensical.toml").read_text()
    missing = [name(page) for page in PAGES[1:] if f'"{page.relative_to(ROOT / "docs").as_posix()}"' not in navigation]
    assert not missing
