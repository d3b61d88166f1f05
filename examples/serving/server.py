"""Serve an exported generator with KServe, by the REST protocol of TensorFlow Serving.

    pip install '.[kserve]'
    tfgen export romeo.keras romeo
    python examples/serving/server.py --model_dir romeo --model_name romeo

It needs TensorFlow and KServe, not tfgen: everything is in the SavedModel, and TensorFlow Serving answers the same
requests from the same directory. What this file adds to KServe:

- Batches: requests that come while others are being answered wait together, and those of the same settings are written
  in one batch, each row from its own seed, so that no text depends on its company. Batches are cut by tokens.
- Turns: texts are written in pieces, one batch after another, so that a short one waits for pieces and not for texts.
  What is written for clients that have gone stops at the end of its piece.
- Bounds: of the bytes and the rows of a request, and of the rows that wait. Nobody unloads the model from outside.

It listens on 127.0.0.1, for whoever else listens should meet a proxy with limits first.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import hashlib
import json
import logging
import pathlib
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fastapi
import kserve
import numpy as np
import tensorflow as tf
from kserve.errors import InvalidInput
from kserve.logging import logger
from kserve.model_server import parser as kserve_options

SETTINGS = ("length", "temperature", "top_k", "top_p", "min_p")  # of a whole call; all else is of a row
OPTIONAL = {*SETTINGS, "seed"}
LENGTH = 200  # of a text, where none is given

READ, WRITTEN = 2**16, 2**18  # tokens of a batch: rows times the longest of them
PIECE = 64  # tokens, after which other batches have their turn
BYTES = 2**21  # of a request
WAITING = 2**10  # rows of requests that have not been answered


@dataclasses.dataclass(frozen=True)
class Request:
    """Rows that wait for company."""

    prompts: list[str]
    seeds: list[int]
    answer: asyncio.Future[list[str]]

    @property
    def longest(self) -> int:
        """Characters of the longest prompt, which has no more tokens than these and one."""
        return _longest(self.prompts)


class Generator(kserve.Model):
    """The signatures of one SavedModel."""

    def __init__(self, name: str, directory: str, wait: float, rows: int) -> None:
        """Take the directory, the seconds a request waits for others, and the rows a batch has at most."""
        super().__init__(name)
        self._directory, self._wait, self._rows = directory, wait, rows
        self._waiting: dict[Any, list[Request]] = defaultdict(list)
        self._writing: dict[Any, asyncio.Task[None]] = {}
        self._in_hand = 0  # rows
        self._thread = ThreadPoolExecutor(1)  # TensorFlow has threads of its own

    def load(self) -> bool:
        """Load the SavedModel, and write a little, so that the first request does not wait for the graph."""
        self._model = tf.saved_model.load(self._directory)
        self._specs = {name: call.structured_input_signature[1] for name, call in self._model.signatures.items()}
        rows = {name: spec for name, spec in self._specs["generate"].items() if name not in OPTIONAL}
        little = {
            name: tf.zeros([2, *(size or 1 for size in spec.shape[1:])], spec.dtype) for name, spec in rows.items()
        }
        self._call("generate", {**little, "prompts": tf.constant(["", "a"]), "length": tf.constant(1)})
        self.ready = True
        return self.ready

    async def preprocess(self, payload: Any, headers: Any = None) -> Any:
        """Read JSON that was not said to be JSON, as TensorFlow Serving does."""
        try:
            return json.loads(payload) if isinstance(payload, bytes) else payload
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"the request is no JSON: {error}") from None

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> dict[str, Any]:
        """Answer "inputs" with "outputs" and "instances" with "predictions"; see `_parsed`."""
        signature, inputs = _parsed(payload)
        if signature not in self._specs:
            raise InvalidInput(
                f"signature_name must be one of {', '.join(sorted(self._specs))}; received {str(signature)[:100]!r}"
            )
        tensors = _tensors(inputs, self._specs[signature])
        rows = max((value.shape[0] for value in tensors.values() if value.shape.rank), default=1)
        if rows > self._rows:
            raise InvalidInput(f"a request has at most {self._rows} rows; received {rows}")
        for name in ("prompts", "texts", "sources"):
            if name in inputs and tensors[name].dtype == tf.string:
                _check_tokens("read", rows * _longest(inputs[name]), READ)
        if self._in_hand + rows > WAITING:
            raise fastapi.HTTPException(503, "too many texts are being written; ask again later")
        self._in_hand += rows
        try:
            if signature in ("generate", "serving_default"):
                outputs: Any = await self._generate(inputs, tensors)
            else:
                outputs = {name: _plain(value) for name, value in (await self._run(signature, tensors)).items()}
        finally:
            self._in_hand -= rows
        return {"predictions" if "instances" in payload else "outputs": outputs}

    async def _generate(self, inputs: dict[str, Any], tensors: dict[str, tf.Tensor]) -> list[str]:
        """Wait for other requests of the same settings, then write all of them."""
        seeds, prompts = inputs.get("seed", 0), inputs["prompts"]
        request = Request(prompts, [], asyncio.get_running_loop().create_future())
        settings = {name: inputs[name] for name in SETTINGS if name in inputs}
        length = settings.setdefault("length", LENGTH)
        if length < 1:
            raise InvalidInput(f"length must be at least 1; received {length}")
        _check_tokens("write", len(prompts) * length, WRITTEN)
        alone = isinstance(seeds, int) and len(prompts) > 1  # row r of such a call draws from (seed, r)
        sourced = inputs.keys() - OPTIONAL - {"prompts"}  # sources need not fit together
        if alone or sourced or (isinstance(seeds, list) and len(seeds) != len(prompts)):
            read = {name: value for name, value in tensors.items() if name not in SETTINGS}
            return await self._written([request], read, settings)
        request.seeds.extend([seeds] if isinstance(seeds, int) else seeds)
        key = tuple(settings.items())
        self._waiting[key].append(request)
        if key not in self._writing:
            self._writing[key] = asyncio.create_task(self._write(key))
        return await request.answer

    async def _write(self, key: tuple[tuple[str, Any], ...]) -> None:
        """Write all that wait for the same settings, in batches."""
        await asyncio.sleep(self._wait)
        while batch := self._batch(key):
            await self._answer(batch, dict(key))
        del self._writing[key], self._waiting[key]

    def _batch(self, key: tuple[tuple[str, Any], ...]) -> list[Request]:
        """Take who has waited longest, and others of about its length; those who come meanwhile join the rest."""
        waiting = [request for request in self._waiting[key] if not request.answer.done()]  # the clients of others left
        batch: list[Request] = []
        rows = longest = 0
        for request in sorted(waiting, key=lambda each: abs(each.longest - waiting[0].longest)):
            rows, longest = rows + len(request.prompts), max(longest, request.longest)
            if batch and (rows > self._rows or rows * longest > READ or rows * dict(key)["length"] > WRITTEN):
                break
            batch.append(request)
        self._waiting[key] = [request for request in waiting if request not in batch]
        return batch

    async def _answer(self, batch: list[Request], settings: dict[str, Any]) -> None:
        """Write a batch; if it cannot be written, each request alone, so that one's mistake is no other's."""
        prompts = [prompt for request in batch for prompt in request.prompts]
        seeds = [seed for request in batch for seed in request.seeds]
        logger.info("a batch of %d requests, %d rows", len(batch), len(prompts))
        try:
            read = _tensors({"prompts": prompts, "seed": seeds}, self._specs["generate"])
            texts = iter(await self._written(batch, read, settings))
        except Exception as error:
            if len(batch) > 1:
                for request in batch:
                    await self._answer([request], settings)
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        for request in batch:
            written = [next(texts) for _ in request.prompts]
            if not request.answer.done():  # its client may have gone
                request.answer.set_result(written)

    async def _written(self, batch: list[Request], read: dict[str, tf.Tensor], settings: dict[str, Any]) -> list[str]:
        """Write in pieces, between which other batches are written, while anybody waits for them."""
        state = await self._run("start", read)
        pieces = [[prompt for request in batch for prompt in request.prompts]]
        left = settings["length"]
        while left > 0 and not all(request.answer.done() for request in batch):
            given = _tensors({**settings, "length": min(left, PIECE)}, self._specs["continue"], partly=True)
            state = await self._run("continue", {**state, **given})
            pieces.append(_plain(state.pop("texts")))
            left = 0 if state["finished"].numpy().all() else left - PIECE
        return ["".join(parts) for parts in zip(*pieces, strict=True)]

    async def _run(self, signature: str, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._call, signature, tensors)
        except tf.errors.InvalidArgumentError as error:
            failed = re.search(r"assertion failed: \[(.*)\] \[(.*?)\]", str(error))
            raise InvalidInput(f"{failed[1]} {failed[2]}" if failed else str(error).splitlines()[0][:500]) from None

    def _call(self, signature: str, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Call a function with tensors by name: its first argument may be many, a state or several sources."""
        function = getattr(self._model, {"serving_default": "generate"}.get(signature, signature))
        first = function.concrete_functions[0].structured_input_signature[0][0]
        rest = tensors.keys() - {spec.name for spec in tf.nest.flatten(first)}
        given = tf.nest.map_structure(lambda spec: tensors[spec.name], first)
        return function(given, **{name: tensors[name] for name in rest})


def _longest(texts: list[str]) -> int:
    """Give how many tokens the longest text has at most: those of its characters, and what it begins after."""
    return 1 + max(map(len, texts), default=0)


def _check_tokens(verb: str, tokens: int, most: int) -> None:
    """Refuse too many, before any text is cut."""
    if tokens > most:
        raise InvalidInput(f"one call can {verb} {most} tokens, rows times the longest; received {tokens}")


def _parsed(payload: Any) -> tuple[str, dict[str, Any]]:
    """Give the signature's name and its inputs, of either form of the protocol."""
    if not isinstance(payload, dict) or ("inputs" in payload) == ("instances" in payload):
        raise InvalidInput('give {"inputs": {"prompts": [...], ...}} or {"instances": [{"prompts": "..."}, ...]}')
    signature = payload.get("signature_name", "serving_default")
    if not isinstance(signature, str):
        raise InvalidInput(f"signature_name must be a name; received {str(signature)[:100]}")
    inputs = payload["inputs"] if "inputs" in payload else _columns(payload["instances"])
    return signature, inputs if isinstance(inputs, dict) else {"prompts": inputs}


def _columns(rows: Any) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise InvalidInput("instances must be a list of at least one row")
    rows = [row if isinstance(row, dict) else {"prompts": row} for row in rows]
    if any(row.keys() != rows[0].keys() for row in rows):
        raise InvalidInput("all instances must have the same inputs")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _tensors(inputs: dict[str, Any], specs: dict[str, tf.TensorSpec], partly: bool = False) -> dict[str, tf.Tensor]:
    """Turn JSON into tensors of the signature's types; partly, where others are there already."""
    if not partly and (missing := specs.keys() - inputs.keys() - OPTIONAL):
        raise InvalidInput(f"the input {', '.join(sorted(missing))} is missing")
    tensors = {}
    for name, value in inputs.items():
        if name not in specs:
            raise InvalidInput(f"there is no input {name!r}; there are {', '.join(sorted(specs))}")
        try:
            if np.asarray(value).dtype.kind == "b" and specs[name].dtype != tf.bool:  # which would be 0 and 1
                raise TypeError
            tensors[name] = tf.ensure_shape(tf.constant(value, specs[name].dtype), specs[name].shape)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError):
            kind = f"{specs[name].dtype.name} of shape {specs[name].shape}"
            raise InvalidInput(f"the input {name!r} must be {kind}; received {str(value)[:100]}") from None
    return tensors


def _plain(tensor: tf.Tensor) -> Any:
    values = tensor.numpy().tolist()
    return [text.decode() for text in values] if tensor.dtype == tf.string else values


class Bounded:
    """An application behind bounds: of the bytes of a request, and of what may be asked; who leaves ends its work."""

    def __init__(self, app: Any) -> None:
        """Take the application that answers."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, of the protocol ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith("/v2/repository/"):
            await _refuse(send, 403, "models are loaded and unloaded by whoever starts the server alone")
            return
        headers = dict(scope["headers"])
        if b"origin" in headers and headers[b"origin"].partition(b"//")[2] != headers.get(b"host"):
            await _refuse(send, 403, "pages of other servers may not ask")
            return
        body = await _body(receive)
        if body is None:
            await _refuse(send, 413, f"a request has at most {BYTES} bytes")
            return
        replayed = asyncio.Queue[dict[str, Any]]()
        replayed.put_nowait({"type": "http.request", "body": body, "more_body": False})
        answering = asyncio.ensure_future(self._app(scope, replayed.get, send))
        leaving = asyncio.ensure_future(receive())  # which gives something when the client goes
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not answering.done():
            answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering


async def _body(receive: Any) -> bytes | None:
    """Read a request to its end; None where it is too long, and nothing of it is kept."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        parts.append(part)
        if size > BYTES:
            parts.clear()
    return None if size > BYTES else b"".join(parts)


async def _refuse(send: Any, status: int, error: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})


def _without_traceback(record: logging.LogRecord) -> bool:
    """Log what a client did wrong in one line."""
    if record.exc_info and isinstance(record.exc_info[1], InvalidInput):
        record.msg, record.args, record.exc_info = f"refused: {record.exc_info[1]}"[:500], (), None
    return True


class Server(kserve.ModelServer):
    """KServe's server, on one address: its own takes all that the machine has."""

    def __init__(self, host: str, **options: Any) -> None:
        """Take the address."""
        super().__init__(enable_grpc=False, **options)
        self._host = host

    async def _serve(self) -> None:
        self._rest_server.config.host = self._host
        self._rest_server.config.app = Bounded(kserve.model_server.app)
        await super()._serve()


def main() -> None:
    """Run the server until a signal stops it."""
    options = argparse.ArgumentParser(description="Serve an exported generator.", parents=[kserve_options])
    options.add_argument("--model_dir", required=True, help="What tfgen export has written.")
    options.add_argument("--host", default="127.0.0.1", help="The address to listen on.")
    options.add_argument("--batch_wait", type=float, default=0.005, help="Seconds a request waits for others.")
    options.add_argument("--batch_rows", type=int, default=64, help="Rows of a batch and of a request, at most.")
    given = options.parse_args()
    _check(pathlib.Path(given.model_dir))
    logger.addFilter(_without_traceback)
    generator = Generator(given.model_name, given.model_dir, given.batch_wait, given.batch_rows)
    generator.load()
    Server(given.host).start([generator])


def _check(directory: pathlib.Path) -> None:
    """Refuse, in one line, a directory that is not as `tfgen export` has written it."""
    try:
        manifest = json.loads((directory / "tfgen.json").read_text("utf-8"))
        if manifest["format"] != "saved-model":
            raise ValueError(f"its format is {manifest['format']}")
        for name, digest in manifest["sha256"].items():
            if hashlib.sha256((directory / name).read_bytes()).hexdigest() != digest:
                raise ValueError(f"{name} is not the file that was written")
    except (OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SystemExit(f"{directory} is no SavedModel of tfgen export, or damaged: {error}") from None


if __name__ == "__main__":
    main()
