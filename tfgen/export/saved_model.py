"""A writer as a SavedModel: strings in, strings out, with vocabulary, network, sampling and the loop inside.

Four signatures. `generate` (also `serving_default`) writes on from prompts, and `score` tells how likely texts are.
`start` and `continue` do what `generate` does in pieces: the state goes out to the caller and comes back in, so that a
server holds nothing between calls. TensorFlow alone loads it, with `tf.saved_model.load` or as a session. Where texts
depend on sources, these are the first input of all but `continue`, whose state has what was read of them.

What `TextGenerator.generate` does in Python happens here in the graph: text becomes ids, each row gets its source of
draws, settings are checked. The loop and the network are the same functions.

Axis letters: B batch, T time, V vocabulary, N new tokens, S places of a source.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.export import directories, manifest
from tfgen.export.sources import context_of, layers_of, specs_of_sources
from tfgen.networks.model import LanguageModel, flat, packed, state_of_a_row
from tfgen.sampling import chain as chains
from tfgen.sampling.temperature import Temperature
from tfgen.sampling.transform import Transform
from tfgen.sampling.truncation import MinP, TopK, TopP
from tfgen.terms.faults import NO_DISTRIBUTION
from tfgen.vocabulary.vocabulary import END, UNKNOWN
from tfgen.writing import loop, scoring
from tfgen.writing.loop import Position
from tfgen.writing.prefill import prefill
from tfgen.writing.strategies import Drawing

if TYPE_CHECKING:
    from tfgen.writing.writer import Writer

# One call reads, and one call writes, at most so many tokens: rows times the longest of them. It bounds the memory
# that one request can take from a server.
TOKENS = 2**18
# And so many texts, and bytes of them, which are asked before a text is cut: no character has more than four.
_ROWS, _BYTES = 2**12, 4 * TOKENS
# A text is written on by `continue` for at most so many tokens, far below the end of int32.
_STEPS = 2**30

# What an input is when it is left out. Where a name is the same in Python, so is the meaning, but for the seed: a call
# is a function of its inputs alone, so that without a seed it is 0.
_LENGTH = tf.constant(200)
_TEMPERATURE = tf.constant(1.0)
_TOP_K = tf.constant(0)
_TOP_P = tf.constant(1.0)
_MIN_P = tf.constant(0.0)
_SEED = tf.constant(0, tf.int64)

_TEXTS = tf.TensorSpec([None], tf.string)
_SETTINGS = [tf.TensorSpec([], value.dtype) for value in (_LENGTH, _TEMPERATURE, _TOP_K, _TOP_P, _MIN_P)]
_SEEDS = tf.TensorSpec(None, tf.int64)


def write(writer: Writer, path: Path) -> dict[str, Any]:
    """Write a SavedModel.

    Args:
        writer: What to export.
        path: A directory that does not exist, or is empty.

    Returns:
        What its manifest says: the names of the signatures, and the inputs that sources are.

    Raises:
        InputError: An input of the encoder has the name of another input.
        OSError: A file cannot be written.
    """
    given = tf.nest.flatten(specs_of_sources(writer.model, strings=True))
    _check_names([spec.name for spec in given])
    with _without_cudnn(writer.model):
        directories.write_archive(_archive(Endpoints(writer)), path)
    signatures = {"signatures": ["generate", "score", "start", "continue"]}
    return {**signatures, "sources": [manifest.tensor(spec.name, spec) for spec in given]} if given else signatures


def _check_names(names: list[str]) -> None:
    taken = {"prompts", "texts", "length", "temperature", "top_k", "top_p", "min_p", "seed"} & {*names}
    if taken:
        raise InputError(
            f"an input of the encoder is named {min(taken)!r}, as another input of the export is; give it another name."
        )


def _archive(endpoints: Endpoints) -> keras.export.ExportArchive:
    archive = keras.export.ExportArchive()
    # It finds variables by itself, but not the table of a layer inside an endpoint that is no layer.
    for layer in endpoints.layers:
        if not layer.built:
            layer.build((None,))  # of strings
        archive.track(layer)

    def add(name: str, function: Any, *inputs: Any) -> Any:
        # Where there are no sources, no call has to say so.
        given = [endpoints.sources] if tf.nest.flatten(endpoints.sources) else []
        function = function if given else functools.partial(function, ())
        return archive.add_endpoint(name, function, [*given, *inputs])

    add("generate", endpoints.generate, _TEXTS, *_SETTINGS, _SEEDS)
    add("score", endpoints.score, _TEXTS)
    start = add("start", endpoints.start, _TEXTS, _SEEDS)
    given = start.get_concrete_function().structured_outputs
    state = {name: tf.TensorSpec(tensor.shape, tensor.dtype, name) for name, tensor in given.items()}
    archive.add_endpoint("continue", endpoints.go_on, [state, *_SETTINGS])
    return archive


@contextlib.contextmanager
def _without_cudnn(model: LanguageModel) -> Iterator[None]:
    """Keep kernels out of the graph that a machine without a GPU does not have."""
    network = getattr(model, "network", None)
    layers = [layer for layer in network._flatten_layers() if hasattr(layer, "use_cudnn")] if network else []
    chosen = [layer.use_cudnn for layer in layers]
    try:
        for layer in layers:
            layer.use_cudnn = False
        yield
    finally:
        for layer, choice in zip(layers, chosen, strict=True):
            layer.use_cudnn = choice


class Endpoints:
    """The functions behind the signatures, over one writer.

    Bad settings are an `InvalidArgumentError` that names them. No text is: an unknown token is read as unknown, and
    what is no UTF-8 as U+FFFD.

    Attributes:
        sources: What sources are, a nest of `tf.TensorSpec` with names; () where there are none.
        ids_from_text: The Keras layer that holds the vocabulary.
        layers: All that may hold a table of tokens.
    """

    def __init__(self, writer: Writer) -> None:
        """Take a writer."""
        vocabulary = writer.vocabulary
        self.ids_from_text = vocabulary.text_vectorization(ragged=True)
        self._text_from_ids = vocabulary.text_from_ids()
        self._model = writer.model
        self.sources = specs_of_sources(writer.model, strings=True)
        self.layers = [self.ids_from_text, *layers_of(writer.model)]
        self._allowed = tf.constant(vocabulary.writable)

    def generate(
        self,
        sources: Any,
        prompts: tf.Tensor,
        length: tf.Tensor = _LENGTH,
        temperature: tf.Tensor = _TEMPERATURE,
        top_k: tf.Tensor = _TOP_K,
        top_p: tf.Tensor = _TOP_P,
        min_p: tf.Tensor = _MIN_P,
        seed: tf.Tensor = _SEED,
    ) -> dict[str, tf.Tensor]:
        """Write on from prompts, as `TextGenerator.generate` does.

        Args:
            sources: As the attribute says, of B rows.
            prompts: String (B,), of any lengths; the empty prompt begins a new text.
            length: Scalar int32, N, the largest number of new tokens.
            temperature: Scalar float32, at least 0; 0 takes the likeliest.
            top_k: Scalar int32; 0 for all.
            top_p: Scalar float32; 1 for all.
            min_p: Scalar float32; 0 for all.
            seed: Int64, a scalar, or one number a row; see `sampling.row_seeds`.

        Returns:
            `texts`, string (B,): each begins with its prompt.
        """
        prompts = _valid(prompts)
        context = self._context(sources, prompts)
        position = self._read(context, prompts, seed)
        _, texts = self._write(context, position, length, temperature, top_k, top_p, min_p)
        return {"texts": tf.strings.join([prompts, texts])}

    def start(self, sources: Any, prompts: tf.Tensor, seed: tf.Tensor = _SEED) -> dict[str, tf.Tensor]:
        """Read prompts, and give the state for `continue`: tensors by name, to be handed back as they are.

        Args:
            sources: As for `generate`.
            prompts: As for `generate`.
            seed: As for `generate`.
        """
        prompts = _valid(prompts)
        context = self._context(sources, prompts)
        return _flat(self._read(context, prompts, seed), context)

    def go_on(
        self,
        state: dict[str, tf.Tensor],
        length: tf.Tensor = _LENGTH,
        temperature: tf.Tensor = _TEMPERATURE,
        top_k: tf.Tensor = _TOP_K,
        top_p: tf.Tensor = _TOP_P,
        min_p: tf.Tensor = _MIN_P,
    ) -> dict[str, tf.Tensor]:
        """Write the next piece; pieces are together what `generate` writes after its prompt.

        Args:
            state: What `start`, or the last `continue`, has given.
            length: As for `generate`, and so all that follow.
            temperature: See there.
            top_k: See there.
            top_p: See there.
            min_p: See there.

        Returns:
            `texts`, string (B,): the new text alone; and the state, in which `finished`, bool (B,), says which rows
            have come to their end.
        """
        position, context = self._position(state)
        after, texts = self._write(context, position, length, temperature, top_k, top_p, min_p)
        return {"texts": texts, **_flat(after, context)}

    def score(self, sources: Any, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Tell how likely texts are, as `TextGenerator.score` does with unknown="unknown".

        Args:
            sources: As for `generate`.
            texts: String (B,).

        Returns:
            `log_probabilities`, float64 (B, T), nats, 0 behind the end of a text; `lengths`, int32 (B,), the tokens of
            each text.
        """
        texts = _valid(texts)
        context = self._context(sources, texts)
        ids, lengths = self._ids(texts, TOKENS)
        # An empty text has nothing to predict; a column of padding keeps the model from reading no column at all.
        ids = tf.pad(ids, [[0, 0], [0, tf.cast(tf.shape(ids)[1] == 1, tf.int32)]])
        log_p, _, _ = scoring.score_tokens(self._model, ids, context)
        real = tf.sequence_mask(lengths - 1, tf.shape(log_p)[1])
        return {"log_probabilities": tf.where(real, log_p, tf.zeros_like(log_p)), "lengths": lengths - 1}

    def _context(self, given: Any, texts: tf.Tensor) -> Any:
        """Give what the model makes of the sources of some texts."""
        rows = tf.stack([tf.shape(each)[0] for each in (*tf.nest.flatten(given), texts)])
        rows = _require(rows, tf.reduce_all(rows == rows[-1]), "there must be one source for each text; received rows")
        with tf.control_dependencies([rows]):
            given = tf.nest.map_structure(_read_safely, given)
        return context_of(self._model, given)

    def _ids(self, texts: tf.Tensor, most: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Give ids (B, T), padded on the right, and lengths (B,); every text begins after an end of text."""
        ends = tf.fill([tf.shape(texts)[0], 1], END)
        ids = tf.concat([ends, tf.cast(self.ids_from_text(texts), tf.int32)], axis=1)
        padded = _at_most(ids.nrows(out_type=tf.int64) * tf.reduce_max(ids.row_lengths()), most, "read")
        with tf.control_dependencies([padded]):
            return ids.to_tensor(), tf.cast(ids.row_lengths(), tf.int32)

    def _read(self, context: Any, prompts: tf.Tensor, seed: tf.Tensor) -> Position:
        seeds = _row_seeds(seed, tf.shape(prompts)[0])
        ids, lengths = self._ids(prompts, TOKENS)
        # As in Python: a mask changes the last digits, so that it is there only where it is needed.
        logits, state = tf.cond(
            tf.reduce_all(lengths == tf.shape(ids)[1]),
            lambda: prefill(self._model, ids, None, context),
            lambda: prefill(self._model, ids, lengths, context),
        )
        return loop.begin(logits, state, (), seeds)

    def _write(
        self, context: Any, position: Position, length: tf.Tensor, *settings: tf.Tensor
    ) -> tuple[Position, tf.Tensor]:
        length = _require(length, length >= 1, "length must be at least 1; received")
        rows = tf.size(position.finished, tf.int64)
        with tf.control_dependencies([_at_most(rows * tf.cast(length, tf.int64), TOKENS, "write")]):
            length = tf.identity(length)
        chain = _sampler(*settings)
        # None of these transforms looks back, so that none needs the text before.
        nothing = tf.zeros([tf.size(position.finished), 0], tf.int32)
        position = position._replace(sampler=chains.start(chain, nothing, self._allowed.shape[0]))
        strategy = Drawing(self._allowed, chain, tf.constant(0))

        def step(ids: tf.Tensor, state: Any) -> tuple[tf.Tensor, Any]:
            return self._model.step(ids, state, context)

        after, record, _ = loop.decode(step, strategy, position, length)
        ids = _require(record["ids"], tf.reduce_all(record["ids"] != UNKNOWN), f"{NO_DISTRIBUTION} Received")
        return after, self._text_from_ids(ids)

    def _position(self, tensors: dict[str, tf.Tensor]) -> tuple[Position, Any]:
        """Give back what `_flat` has made flat."""
        drawn = tensors["drawn"]
        rows = [tf.shape(tensor)[0] for tensor in tensors.values() if tensor.shape.rank]
        # Rows of another number would be broadcast in silence.
        fits = tf.reduce_all(tf.stack(rows) == rows[0]) & (rows[0] > 0) & (drawn >= 0) & (drawn < _STEPS)
        tensors = {
            **tensors,
            "drawn": _require(drawn, fits, "this is no state that start or continue has given, at step"),
        }
        state = packed(state_of_a_row(self._model), tensors)
        position = Position(state=state, sampler=(), **{name: tensors[name] for name in loop.PLAIN})
        return position, packed(self._model.context, tensors, "context")


class Unless(Transform):
    """Does nothing, at no cost, where it is off: what Python leaves out of the chain is always there in a graph.

    Args:
        off: Scalar bool.
        transform: What it does where it is on.
    """

    off: tf.Tensor
    transform: Transform

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        return tf.cond(self.off, lambda: tf.identity(logits), lambda: self.transform(logits))


def _sampler(temperature: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor, min_p: tf.Tensor) -> chains.Chain:
    """Give the chain that `sampling.default_chain` gives."""
    t, p, share = _as_in_python(temperature), _as_in_python(top_p), _as_in_python(min_p)
    t = _require(t, t >= 0, "temperature must be at least 0; received")
    k = _require(top_k, top_k >= 0, "top_k must be at least 0, which stands for all; received")
    p = _require(p, (p > 0) & (p <= 1), "top_p must be above 0 and at most 1; received")
    share = _require(share, (share >= 0) & (share <= 1), "min_p must be at least 0 and at most 1; received")
    return (
        Temperature(t),
        Unless(k == 0, TopK(tf.maximum(k, 1))),
        Unless(p == 1, TopP(p)),
        Unless(share == 0, MinP(share)),
    )


def _as_in_python(setting: tf.Tensor) -> tf.Tensor:
    """Give float64, so that the 0.8 of float32 is the 0.8 of Python: all that has up to six digits is as exact."""
    return tf.strings.to_number(tf.strings.as_string(setting, precision=6, shortest=True), tf.float64)


def _row_seeds(seed: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Do what `sampling.row_seeds` does: int64 (B, 2)."""
    one = tf.rank(seed) == 0
    fits = one | ((tf.rank(seed) == 1) & (tf.size(seed) == rows))
    seed = _require(seed, fits, "there must be one seed, or one for each prompt; received")
    firsts = tf.broadcast_to(tf.reshape(seed, [-1]), [rows])
    seconds = tf.where(one, tf.range(rows), 0)
    return tf.stack([firsts, tf.cast(seconds, tf.int64)], axis=1)


def _valid(texts: tf.Tensor) -> tf.Tensor:
    """Give valid UTF-8, with U+FFFD for each byte that is none, of no more than one call can take."""
    texts = _require(texts, tf.size(texts) > 0, "there must be at least one text; received")
    rows, size = tf.size(texts), tf.reduce_sum(tf.cast(tf.strings.length(texts), tf.int64))
    bounds = [
        _require(rows, rows <= _ROWS, f"one call can take {_ROWS} texts; received"),
        _require(size, size <= _BYTES, f"one call can read {_BYTES} bytes of text; received"),
    ]
    with tf.control_dependencies(bounds):
        texts = tf.identity(texts)
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")


def _read_safely(source: tf.Tensor) -> tf.Tensor:
    """Give a source as it is; of texts no more than one call can read, and of these valid UTF-8."""
    if source.dtype != tf.string:
        return tf.identity(source)
    # No text has more tokens than characters, and the end.
    most = 1 + tf.reduce_max(tf.strings.length(source, "UTF8_CHAR"))
    fits = _at_most(tf.size(source, tf.int64) * tf.cast(most, tf.int64), TOKENS, "read")
    with tf.control_dependencies([fits]):
        return _valid(source)


def _flat(position: Position, context: Any) -> dict[str, tf.Tensor]:
    plain = {name: getattr(position, name) for name in loop.PLAIN}
    return {**plain, **flat(position.state), **flat(context, "context")}


def _at_most(tokens: tf.Tensor, most: int, verb: str) -> tf.Tensor:
    return _require(tokens, tokens <= most, f"one call can {verb} {most} tokens, rows times the longest; received")


def _require(value: tf.Tensor, holds: tf.Tensor, message: str) -> tf.Tensor:
    """Give the value where the condition holds; elsewhere an `InvalidArgumentError` tells it."""
    with tf.control_dependencies([tf.debugging.Assert(holds, [message, value])]):
        return tf.identity(value)
