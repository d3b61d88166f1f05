"""Serve an exported generator with KServe, by the REST protocol of TensorFlow Serving.

    pip install '.[kserve]'
    tfgen export romeo.keras romeo
    python examples/serving/server.py --model_dir romeo --model_name romeo

It needs TensorFlow and KServe, not tfgen: everything is in the SavedModel, and TensorFlow Serving answers the same
requests from the same directory. What this file adds to KServe is batching: requests that come while others are being
answered wait together, and those of the same settings are written in one batch, each row from its own seed, so that no
text depends on its company. It listens on 127.0.0.1, for whoever else listens should meet a proxy with limits first.
"""

import argparse
import asyncio
import dataclasses
import hashlib
import json
import pathlib
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kserve
import tensorflow as tf
from kserve.errors import InvalidInput
from kserve.logging import logger
from kserve.model_server import parser as kserve_options

SETTINGS = ("length", "temperature", "top_k", "top_p", "min_p")  # of a whole call; all else is of a row
OPTIONAL = {*SETTINGS, "seed"}


@dataclasses.dataclass(frozen=True)
class Request:
    """Rows that wait for company."""

    prompts: list[str]
    seeds: list[int]
    answer: asyncio.Future[list[str]]


class Generator(kserve.Model):
    """The signatures of one SavedModel."""

    def __init__(self, name: str, directory: str, wait: float, rows: int) -> None:
        """Take the directory, the seconds a request waits for others, and the rows a batch has at most."""
        super().__init__(name)
        self._directory, self._wait, self._rows = directory, wait, rows
        self._waiting: dict[Any, list[Request]] = defaultdict(list)
        self._writing: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
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
                f"signature_name must be one of {', '.join(sorted(self._specs))}; received {signature!r}"
            )
        tensors = _tensors(inputs, self._specs[signature])
        if signature in ("generate", "serving_default"):
            outputs: Any = await self._generate(inputs, tensors)
        else:
            outputs = {name: _plain(value) for name, value in (await self._run(signature, tensors)).items()}
        return {"predictions" if "instances" in payload else "outputs": outputs}

    async def _generate(self, inputs: dict[str, Any], tensors: dict[str, tf.Tensor]) -> list[str]:
        """Wait for other requests of the same settings, then write all of them."""
        seeds = inputs.get("seed", 0)
        alone = isinstance(seeds, int) and len(inputs["prompts"]) > 1  # row r of such a call draws from (seed, r)
        sourced = inputs.keys() - OPTIONAL - {"prompts"}  # sources need not fit together
        if alone or sourced or (isinstance(seeds, list) and len(seeds) != len(inputs["prompts"])):
            return _plain((await self._run("generate", tensors))["texts"])
        settings = tuple((name, inputs[name]) for name in SETTINGS if name in inputs)
        seeds = [seeds] if isinstance(seeds, int) else seeds
        request = Request(inputs["prompts"], seeds, asyncio.get_running_loop().create_future())
        self._waiting[settings].append(request)
        if len(self._waiting[settings]) == 1:
            task = asyncio.create_task(self._write(settings))
            self._writing.add(task)  # for asyncio does not hold it
            task.add_done_callback(self._writing.discard)
        return await request.answer

    async def _write(self, settings: tuple[tuple[str, Any], ...]) -> None:
        await asyncio.sleep(self._wait)
        async with self._turn:  # one batch at a time: those who come meanwhile are the next
            waiting = self._waiting.pop(settings)
            while waiting:
                batch = [waiting.pop(0)]
                while waiting and sum(len(each.prompts) for each in [*batch, waiting[0]]) <= self._rows:
                    batch.append(waiting.pop(0))
                await self._answer(batch, settings)

    async def _answer(self, batch: list[Request], settings: tuple[tuple[str, Any], ...]) -> None:
        """Write a batch; if it cannot be written, each request alone, so that one's mistake is no other's."""
        prompts = [prompt for request in batch for prompt in request.prompts]
        seeds = [seed for request in batch for seed in request.seeds]
        inputs = {"prompts": prompts, "seed": seeds, **dict(settings)}
        logger.info("a batch of %d requests, %d rows", len(batch), len(prompts))
        try:
            outputs = await self._run("generate", _tensors(inputs, self._specs["generate"]))
        except Exception as error:
            if len(batch) > 1:
                for request in batch:
                    await self._answer([request], settings)
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        texts = iter(_plain(outputs["texts"]))
        for request in batch:
            written = [next(texts) for _ in request.prompts]
            if not request.answer.done():  # its client may have gone
                request.answer.set_result(written)

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


def _parsed(payload: Any) -> tuple[str, dict[str, Any]]:
    """Give the signature's name and its inputs, of either form of the protocol."""
    if not isinstance(payload, dict) or ("inputs" in payload) == ("instances" in payload):
        raise InvalidInput('give {"inputs": {"prompts": [...], ...}} or {"instances": [{"prompts": "..."}, ...]}')
    signature = payload.get("signature_name", "serving_default")
    inputs = payload["inputs"] if "inputs" in payload else _columns(payload["instances"])
    return signature, inputs if isinstance(inputs, dict) else {"prompts": inputs}


def _columns(rows: Any) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise InvalidInput("instances must be a list of at least one row")
    rows = [row if isinstance(row, dict) else {"prompts": row} for row in rows]
    if any(row.keys() != rows[0].keys() for row in rows):
        raise InvalidInput("all instances must have the same inputs")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _tensors(inputs: dict[str, Any], specs: dict[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
    """Turn JSON into tensors of the signature's types."""
    if missing := specs.keys() - inputs.keys() - OPTIONAL:
        raise InvalidInput(f"the input {', '.join(sorted(missing))} is missing")
    tensors = {}
    for name, value in inputs.items():
        if name not in specs:
            raise InvalidInput(f"there is no input {name!r}; there are {', '.join(sorted(specs))}")
        try:
            tensors[name] = tf.ensure_shape(tf.constant(value, specs[name].dtype), specs[name].shape)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError):
            kind = f"{specs[name].dtype.name} of shape {specs[name].shape}"
            raise InvalidInput(f"the input {name!r} must be {kind}; received {str(value)[:100]}") from None
    return tensors


def _plain(tensor: tf.Tensor) -> Any:
    values = tensor.numpy().tolist()
    return [text.decode() for text in values] if tensor.dtype == tf.string else values


class Server(kserve.ModelServer):
    """KServe's server, on one address: its own takes all that the machine has."""

    def __init__(self, host: str, **options: Any) -> None:
        """Take the address."""
        super().__init__(enable_grpc=False, **options)
        self._host = host

    async def _serve(self) -> None:
        self._rest_server.config.host = self._host
        await super()._serve()


def main() -> None:
    """Run the server until a signal stops it."""
    options = argparse.ArgumentParser(description="Serve an exported generator.", parents=[kserve_options])
    options.add_argument("--model_dir", required=True, help="What tfgen export has written.")
    options.add_argument("--host", default="127.0.0.1", help="The address to listen on.")
    options.add_argument("--batch_wait", type=float, default=0.005, help="Seconds a request waits for others.")
    options.add_argument("--batch_rows", type=int, default=64, help="Rows of a batch, at most.")
    given = options.parse_args()
    _check(pathlib.Path(given.model_dir))
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
