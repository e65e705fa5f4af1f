"""The building blocks of a page in one file: style, sections, tables, figures, and numbers with their intervals, as HTML."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from armillary.evaluation.report.figures import Figure
from armillary.evaluation.statistics import Estimate

STYLE = """
:root { --ink: #1f2933; --muted: #616e7c; --line: #e4e7eb; --paper: #fff; --wash: #f7f8fa; --blue: #2563eb; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink); line-height: 1.55;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; letter-spacing: -.01em; }
h2 { font-size: 20px; margin: 0 0 4px; letter-spacing: -.005em; }
p { margin: 0 0 12px; } .lead { font-size: 17px; color: var(--muted); max-width: 46em; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 24px 28px; margin: 20px 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 12px; margin: 24px 0; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; }
.tile b { display: block; font-size: 24px; line-height: 1.25; letter-spacing: -.02em; }
.tile span { color: var(--muted); font-size: 13px; display: block; line-height: 1.4; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; margin: 12px 0; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: var(--muted); font-size: 12.5px; vertical-align: bottom; }
td { text-align: right; } th, td { padding: 7px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } td:last-child, th:last-child { padding-right: 0; }
tr.model td { font-weight: 600; background: #f2f6ff; } tr.model td:first-child { box-shadow: -10px 0 #f2f6ff; }
tr.model td:last-child { box-shadow: 10px 0 #f2f6ff; }
small { color: var(--muted); font-weight: 400; font-size: 12px; }
figure { margin: 22px 0 6px; } figure img { max-width: 100%; height: auto; display: block; margin: 0 auto; }
figcaption, .note { color: var(--muted); font-size: 13.5px; margin-top: 8px; max-width: 62em; }
.checks { list-style: none; padding: 0; margin: 12px 0; font-size: 13.5px; display: grid; gap: 4px 24px;
  grid-template-columns: repeat(auto-fill, minmax(370px, 1fr)); }
.checks li::before { content: "\\2713"; color: #2f9e63; font-weight: 700; margin-right: 8px; }
.checks li.red { color: #b42318; font-weight: 600; } .checks li.red::before { content: "\\2717"; color: #b42318; }
.alarm { background: #fef3f2; border: 1px solid #f3c6c2; color: #b42318; border-radius: 8px; padding: 10px 14px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; font-size: 13.5px; margin: 12px 0 0; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
svg.bar { vertical-align: middle; margin-left: 10px; }
@media (max-width: 600px) { section { padding: 18px 16px; } main { padding: 24px 12px; } }
"""


def document(title: str, body: str) -> str:
    """The page: nothing in it is loaded from anywhere."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )


def section(title: str, intro: str, content: str, figures: list[Figure]) -> str:
    """A heading, what it is about, ready HTML, and figures."""
    return f"<section><h2>{text(title)}</h2><p>{text(intro)}</p>{content}{''.join(map(figure, figures))}</section>"


def figure(shown: Figure) -> str:
    """A picture and its caption."""
    picture = f'<img src="{shown.uri}" alt="{text(shown.name)}" width="{shown.width}">'
    return f"<figure>{picture}<figcaption>{text(shown.caption)}</figcaption></figure>"


def table(head: Sequence[str], body: Sequence[tuple[str, Sequence[Any]]]) -> str:
    """Ready HTML cells under ready HTML headings; the row `model` stands out."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    rows = "".join(
        f"<tr{' class=model' if name == 'model' else ''}><td>{text(name.replace('_', ' '))}</td>"
        f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells in body
    )
    return f"<div class=scroll><table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>"


def percent(estimate: Estimate) -> str:
    """As in "86% [74, 93]"; beyond tenfold only that it is."""
    if estimate.value > 10:
        return "&gt; 1000%"
    return f"{estimate.value:.0%} <small>[{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]</small>"


def number(estimate: Estimate, unit: str = "") -> str:
    """As in "0.86 [0.74, 0.93]"."""
    return f"{estimate.value:.2f}{unit} <small>[{estimate.low:.2f}, {estimate.high:.2f}]</small>"


def bar(estimate: Estimate) -> str:
    """An interval from 0 to 1 as a small drawing."""
    low, high, value = (round(76 * x + 4, 1) for x in (estimate.low, estimate.high, estimate.value))
    return (
        '<svg class=bar width="84" height="12" aria-hidden="true"><rect x="4" y="5" width="76" height="2" fill="#e4e7eb"/>'
        f'<rect x="{low}" y="4" width="{max(1.0, high - low):.1f}" height="4" rx="2" fill="#a9c1f7"/>'
        f'<circle cx="{value}" cy="6" r="3.5" fill="#2563eb"/></svg>'
    )


def facts(values: Mapping[str, Any]) -> str:
    """Names and values as a list; a dictionary within is a list within."""
    return f"<dl>{''.join(f'<dt>{text(name)}</dt><dd>{_fact(value)}</dd>' for name, value in values.items())}</dl>"


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return facts(value) if value else "none"
    if isinstance(value, list | tuple):
        nested = any(isinstance(part, Mapping | list | tuple) for part in value)
        return "".join(map(_fact, value)) if nested else text(", ".join(map(str, value)) or "none")
    return text("none" if value is None else value)


def text(value: Any) -> str:
    """Anything as escaped text."""
    return html.escape(str(value))
