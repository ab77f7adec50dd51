"""The page of an exporter beside a real cluster as a browser shows it; see reports/page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compat.conftest import FOR_THE_PAGE, Setup
from tests.compat.container import ROOT
from tests.compat.test_versions import settled, sources
from tests.support.browser import Browser, browser

SIZES = ((1280, 800), (390, 844))
SCHEMES = ("light", "dark")
MIN_FONT_PX = 12
MIN_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, level AA."""

LOOK = """
const ratio = (one, other) => {
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
};
const numbers = text => text.match(/[\\d.]+/g).map(Number);
const canvas = numbers(getComputedStyle(Object.assign(document.body.appendChild(
  document.createElement('i')), {style: 'background: Canvas'})).backgroundColor);
const behind = element => {
  for (; element; element = element.parentElement) {
    const colour = numbers(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return canvas;
};
const shade = element => {
  let clear = 1;
  for (let e = element; e; e = e.parentElement) clear *= getComputedStyle(e).opacity;
  const under = behind(element), text = numbers(getComputedStyle(element).color);
  return text.slice(0, 3).map((c, i) => c * clear + under[i] * (1 - clear));
};
const texts = [...document.body.querySelectorAll('*')].filter(e =>
  e.checkVisibility() && [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()));
const verdict = document.querySelector('.verdict').getBoundingClientRect();
return {
  wide: document.documentElement.scrollWidth - innerWidth,
  cut: texts.filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth).map(e => e.innerText),
  outside: texts.filter(e => e.getBoundingClientRect().right > innerWidth + 1).length,
  font: Math.min(...texts.map(e => parseFloat(getComputedStyle(e).fontSize))),
  verdict: verdict.top >= 0 && verdict.bottom <= innerHeight,
  contrast: Math.min(...texts.map(e => ratio(shade(e), behind(e)))),
  text: document.body.innerText,
};
"""


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as found:
        yield found


def look(window: Browser, setup: Setup, state: str) -> list[str]:
    """The page at each size and in each scheme, readable in all of them; its texts."""
    texts = []
    for width, height in SIZES:
        for scheme in SCHEMES:
            window.show_as(width, height, scheme)
            window.open(setup.leader.url)
            window.screenshot(ROOT / f"reports/page/{state}-{width}-{scheme}.png")
            seen = window.evaluate(LOOK)
            where = f"{state} at {width}, {scheme}"
            assert window.console() == [], where
            assert (seen["wide"], seen["cut"], seen["outside"]) == (0, [], 0), where
            assert seen["font"] >= MIN_FONT_PX, where
            assert seen["verdict"], where
            assert seen["contrast"] >= MIN_CONTRAST, where
            texts.append(seen["text"])
    return texts


@pytest.mark.parametrize("setup", [FOR_THE_PAGE], ids=str, indirect=True)
def test_the_page_is_readable_in_good_days_and_bad(setup: Setup, window: Browser) -> None:
    settled(setup.leader)
    for text in look(window, setup, "healthy"):
        assert "All is well. This node is the leader." in text
        assert "node2" in text
    setup.cluster.kill_etcd()
    try:
        setup.leader.wait_for("etcd to be down", lambda v: sources(v)["etcd"] == 0)
        for text in look(window, setup, "without-etcd"):
            assert "Needs a look." in text
            assert "etcd cannot be read with quorum from this node." in text
            assert "node2" in text
    finally:
        setup.cluster.start_etcd()
    settled(setup.leader)
