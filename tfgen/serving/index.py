"""The pages of a server: the first says which models there are and how to ask them, and leads to a page of each.

Where a token is needed, the browser has it from the fragment of the address, which it sends nowhere. So what opens at
the address of a model is a small script that fetches its page with the token, and lets it take its own place.
"""

import base64
import hashlib
import html
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tfgen.page.assembling import CONNECTS

_STYLE = (
    ":root{color-scheme:light dark;background:Canvas;color:CanvasText}a{color:inherit}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:1rem;border:1px solid;border-radius:6px}"
)
_LEAD = """
for (const link of document.querySelectorAll("a")) link.hash = location.hash;
"""
_OPEN = """
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const address = location.pathname.replace("/pages/", "/contents/");
const headers = { Authorization: `Bearer ${token ?? ""}` };
fetch(address, { headers }).then(async (answer) => {
  const page = answer.ok && (await answer.text());
  if (!page) throw new Error(answer.status);
  document.open();
  document.write(page);
  document.close();
}).catch(() => {
  document.getElementById("said").textContent =
    "The address lacks the token that the server has printed: add #token= and the token to it, and load it anew.";
});
addEventListener("hashchange", () => document.getElementById("said") && location.reload());
"""
_CLOSED = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_ASK = """curl {address}/v1/completions \\
    -H 'Content-Type: application/json'{token} \\
    -d '{{"model": "{model}", {given}, "max_tokens": 200, "seed": 1}}'"""


class Page(NamedTuple):
    """What is sent to a browser.

    Attributes:
        text: HTML.
        policy: What it may do, for the header of that name.
    """

    text: str
    policy: str


def of_model(text: str) -> Page:
    """Take a page that `tfgen.page` has written: it says itself what it may do."""
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    said = html.unescape(found[1]) if found else "default-src 'none'"
    return Page(text, f"{said}; frame-ancestors 'none'")


def first(models: Iterable[str], address: str, needs_token: bool, sources: Mapping[str, str]) -> Page:
    """Make the page at the address of the server.

    Args:
        models: Their names.
        address: Under which it was asked for, without a path.
        needs_token: Whether requests do.
        sources: How one begins, as JSON, by the names of those that write from it, and refuse a request without.
    """
    names = list(models)
    token = " -H 'Authorization: Bearer TOKEN'" if needs_token else ""
    given = f'"source": {sources[names[0]]}' if names[0] in sources else '"prompt": ""'
    ask = _ASK.format(address=address, token=token, model=names[0], given=given)
    items = "".join(f'<li><a href="{_path(name)}"><code>{html.escape(name)}</code></a></li>' for name in names)
    body = (
        f"<h1>tfgen</h1><p>This server writes text with these models:</p><ul>{items}</ul>"
        "<p>It speaks the completions protocol of OpenAI, so that its clients work with the address "
        f"<code>{html.escape(address)}/v1</code>. From a shell:</p><pre>{html.escape(ask)}</pre>"
    )
    script = _LEAD if needs_token else ""
    return Page(_document("tfgen", body, script), _policy([_hash(script)] if script else [], [], ""))


def opener(name: str, page: Page) -> Page:
    """Make what opens the page of a model where a token is needed, and may do what that page may."""
    body = '<p id="said" role="status"></p>'
    kinds = (re.search(rf"{kind} ([^;]*)", page.policy) for kind in ("script-src", "style-src"))
    scripts, styles = (found[1].split() if found else [] for found in kinds)
    return Page(_document(name, body, _OPEN), _policy([_hash(_OPEN), *scripts], styles, CONNECTS))


def _path(name: str) -> str:
    return f"/pages/{urllib.parse.quote(name)}"


def _document(title: str, body: str, script: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>{_STYLE}</style>'
        f"</head><body><main>{body}</main>{f'<script>{script}</script>' if script else ''}</body></html>"
    )


def _policy(scripts: Iterable[str], styles: Iterable[str], more: str) -> str:
    allowed = f"script-src {' '.join(scripts)}; " if scripts else ""
    return (
        f"default-src 'none'; {allowed}style-src {' '.join([_hash(_STYLE), *styles])}; {more}img-src data:; {_CLOSED}"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
