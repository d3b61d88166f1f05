"""The pages of a server: the first says which models there are and how to ask them, and leads to a page of each.

A page of a model (`tfgen.page`) writes in the browser. Where a token is needed, the browser has it from the fragment of
the address, and a small script fetches the page with it: a link alone would not send it.
"""

import base64
import hashlib
import html
import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
    "pre{overflow-x:auto;padding:1rem;border:1px solid;border-radius:6px}"
)
_SCRIPT = """
const token = new URLSearchParams(location.hash.slice(1)).get("token");
for (const link of document.querySelectorAll("a")) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    const answer = await fetch(link.href, { headers: { Authorization: `Bearer ${token}` } });
    if (!answer.ok) {
      document.getElementById("said").textContent = "The address lacks the token that the server has printed.";
      return;
    }
    const page = await answer.text();
    document.open();
    document.write(page);
    document.close();
  });
}
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


def first(
    models: Mapping[str, Page | None], address: str, needs_token: bool, from_sources: Collection[str] = ()
) -> Page:
    """Make the page at the address of the server.

    Args:
        models: Their pages by name; None for a model that no page holds.
        address: Under which it was asked for, without a path.
        needs_token: Whether requests do.
        from_sources: The names of those that write from a source, without which they refuse a request.
    """
    name = next(iter(models))
    token = " -H 'Authorization: Bearer TOKEN'" if needs_token else ""
    given = '"source": ""' if name in from_sources else '"prompt": ""'
    ask = _ASK.format(address=address, token=token, model=name, given=given)
    items = "".join(f"<li>{_item(name, page is not None)}</li>" for name, page in models.items())
    script = f'<p id="said" role="status"></p><script>{_SCRIPT}</script>' if needs_token else ""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>tfgen</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>tfgen</h1>'
        f"<p>This server writes text with these models:</p><ul>{items}</ul>"
        "<p>It speaks the completions protocol of OpenAI, so that its clients work with the address "
        f"<code>{html.escape(address)}/v1</code>. From a shell:</p><pre>{html.escape(ask)}</pre>{script}</body></html>"
    )
    return Page(text, _policy([page for page in models.values() if page], needs_token))


def _item(name: str, has_page: bool) -> str:
    shown = f"<code>{html.escape(name)}</code>"
    return f'<a href="/pages/{html.escape(name)}">{shown}</a>, in this browser' if has_page else shown


def _policy(pages: Iterable[Page], needs_token: bool) -> str:
    if not needs_token:
        return f"default-src 'none'; style-src {_hash(_STYLE)}; {_CLOSED}"
    # A page of a model takes the place of this one, and with it what this one may do.
    scripts, styles = [_hash(_SCRIPT)], [_hash(_STYLE)]
    for page in pages:
        for kind, found in (("script-src", scripts), ("style-src", styles)):
            allowed = re.search(rf"{kind} ([^;]*)", page.policy)
            found += allowed[1].split() if allowed else []
    allowed_scripts, allowed_styles = (" ".join(dict.fromkeys(found)) for found in (scripts, styles))
    return (
        f"default-src 'none'; script-src {allowed_scripts}; style-src {allowed_styles}; img-src data:; "
        f"connect-src 'self'; {_CLOSED}"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
