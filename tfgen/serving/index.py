"""The page at the address of the server: which models there are, and how to ask them. No script, no request."""

import base64
import hashlib
import html
from collections.abc import Sequence

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
    "pre{overflow-x:auto;padding:1rem;border:1px solid;border-radius:6px}"
)
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_ASK = """curl {address}/v1/completions \\
    -H 'Content-Type: application/json'{token} \\
    -d '{{"model": "{model}", "prompt": "", "max_tokens": 200, "seed": 1}}'"""


def index(models: Sequence[str], address: str, needs_token: bool) -> str:
    """Give the page as HTML.

    Args:
        models: Their names.
        address: Under which the page was asked for, without a path.
        needs_token: Whether requests do.
    """
    token = " -H 'Authorization: Bearer TOKEN'" if needs_token else ""
    ask = _ASK.format(address=address, token=token, model=models[0])
    items = "".join(f"<li><code>{html.escape(name)}</code></li>" for name in models)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>tfgen</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>tfgen</h1>'
        f"<p>This server writes text with these models:</p><ul>{items}</ul>"
        "<p>It speaks the completions protocol of OpenAI, so that its clients work with the address "
        f"<code>{html.escape(address)}/v1</code>. From a shell:</p><pre>{html.escape(ask)}</pre></body></html>"
    )
