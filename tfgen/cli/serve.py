"""`tfgen serve`: models behind HTTP, for every client of the completions protocol."""

import re
import secrets
import signal
from pathlib import Path

import click

from tfgen import model_files
from tfgen.cli import addresses, options, tensorflow_log, terminal
from tfgen.errors import InputError
from tfgen.support import interrupts

_SHORTEST = 16  # characters of a token
_SECONDS = 60.0


@click.command(
    epilog=options.examples(
        "tfgen serve romeo.keras",
        "tfgen serve romeo.keras names.keras --port 8080",
    )
)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MODEL...")
@click.option("--port", type=options.whole(0, 65535), default=8000, show_default=True, help="0 takes any free one.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on; another one needs --token."
)
@click.option(
    "--token",
    envvar="TFGEN_TOKEN",
    help="What clients must send, of 16 characters or more; 'new' makes one. Also in TFGEN_TOKEN.",
)
def serve(models: tuple[Path, ...], port: int, host: str, token: str | None) -> None:
    """Serve each MODEL, a .keras file, under the name of its file, by the completions protocol of OpenAI.

    Only this machine can ask, unless --host says otherwise. Ctrl-C ends it at once; SIGTERM lets it finish what was
    begun.
    """
    names = [path.stem for path in models]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise InputError(f"two models are called {min(doubled)!r}; rename one of the files.")
    for path in models:
        model_files.read_config(path)  # says at once what is wrong with the file
    token = secrets.token_urlsafe(24) if token == "new" else token
    if token is not None and not re.fullmatch(rf"[A-Za-z0-9._~+/=-]{{{_SHORTEST},512}}", token):
        raise InputError(
            f"a token must have at least {_SHORTEST} letters, digits and . _ ~ + / = -; received another "
            "one: give --token new to have one made."
        )
    with addresses.listening(host, port) as listener:
        if token is None and addresses.is_open(listener):
            raise InputError(f"others reach {host}, and so a token is needed; give --token new to have one made.")
        tensorflow_log.import_tensorflow()
        with interrupts.deferred():
            from tfgen.serving import asgi, running

            asgi.check_installed()
        with interrupts.deferred(), tensorflow_log.sifted():
            loaded = {path.stem: model_files.load(path) for path in models}
            interrupts.check()
            hosts, numbers = addresses.names(listener, host)
            app = asgi.application(loaded, hosts=hosts, addresses=numbers, token=token)
        said = f"{', '.join(names)}: {addresses.url(listener, host, token)}  (Ctrl-C ends it)"
        heard = running.run(app, listener, _SECONDS, lambda: terminal.say(said))
    if heard == signal.SIGINT:
        raise interrupts.Stopped(heard)
