"""From a request to rows and a batch: what takes a while, done beside the turns.

A sampler of a new structure is compiled by writing one token with it, which takes half a second, and a pattern takes as
long as three: such requests wait for one another, and the others do not wait for them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from tfgen.errors import InputError
from tfgen.sampling.chain import default_chain
from tfgen.sampling.patterns import Pattern
from tfgen.sampling.penalties import FrequencyPenalty, PresencePenalty
from tfgen.serving.bounds import Bounds
from tfgen.serving.pictures import picture, shape_of
from tfgen.serving.protocol import MOST_LOGPROBS, Asked, Looked, Nested, about
from tfgen.serving.refusals import Refused
from tfgen.support import wording
from tfgen.terms.scores import Score
from tfgen.vocabulary.vocabulary import RESERVED
from tfgen.writing.batch import Batch, Row
from tfgen.writing.writer import Writer

MOST_WEIGHTS = 65_536  # of the places of a source that are told of a text
_KNOWN = 16  # structures of samplers of a model, fewer than its writer keeps compiled

_OTHERS = {"pattern": Pattern, "frequency_penalty": FrequencyPenalty, "presence_penalty": PresencePenalty}


class Prepared(NamedTuple):
    """What a job is made of.

    Attributes:
        key: Requests of the same key share a batch.
        batch: An empty one.
        rows: The texts.
        tokens: Of the prompts.
    """

    key: Hashable
    batch: Batch
    rows: list[Row]
    tokens: int


class Preparing:
    """Prepares requests for one model."""

    def __init__(self, name: str, writer: Writer, bounds: Bounds) -> None:
        """Take a model under its name."""
        self._name, self._writer, self._bounds = name, writer, bounds
        self._reads_sources = bool(writer.model.context)
        self._picture = shape_of(writer.model, bounds.body)
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def warm(self) -> None:
        """Compile what reads prompts, and the usual sampler, so that the first request does not wait for it."""
        if self._reads_sources:  # whose shapes are not known
            return
        token = self._writer.vocabulary.tokens[len(RESERVED)]
        for prompts in (["", token, token * 3], [""]):
            batch = self._writer.batch()
            batch.add(self._writer.rows(prompts, length=1))
            while len(batch):
                batch.read(2)
                batch.write(1)
        self._remember(_structure({}, None))

    def is_quick(self, asked: Asked) -> bool:
        """Whether a request can be prepared in a moment."""
        settings = dict(asked.settings)
        known = _structure(settings, asked.logprobs) in self._known and not asked.scores
        return known and "pattern" not in settings and not self._reads_sources

    def __call__(self, asked: Asked, seed: int) -> Prepared:
        """Prepare a request.

        Raises:
            Refused: What it says does not suit the model.
        """
        source = self._source(asked.source)
        with about("prompt" if source is None else None):
            rows = self._writer.rows(
                list(asked.prompts),
                length=asked.length,
                stop=asked.stop or None,
                n=asked.n,
                seed=seed,
                unknown=asked.unknown,
                source=source,
                drawn=asked.drawn,
            )
        tokens = sum(len(row.prompt) - 1 for row in rows[:: asked.n])
        self._check_tokens(tokens)
        batch = self._batch(asked)
        structure = _structure(dict(asked.settings), asked.logprobs)
        if structure not in self._known:
            self._rehearse(asked, source)
        self._remember(structure)
        key = self._name, asked.settings, asked.logprobs is not None, rows[0].fits
        return Prepared(key, batch, rows, tokens)

    def scores(self, asked: Asked) -> list[Score]:
        """Score the prompts of a request.

        Raises:
            Refused: What it says does not suit the model.
        """
        source = self._source(asked.source)
        self._check_tokens(sum(len(self._writer.vocabulary.encode(text, "skip")) for text in asked.prompts))
        with about("prompt" if source is None else None):
            return self._writer.score(list(asked.prompts), unknown=asked.unknown, source=source)

    def looked(self, asked: Looked) -> dict[str, Any]:
        """Tell what each token of a text attended to in the source: `source` and `tokens` as texts, and `weights`.

        Raises:
            Refused: The model does not attend, or what the request says does not suit it.
        """
        with about():
            encoder = getattr(getattr(self._writer.model, "network", None), "encoder", None)
            vocabulary = getattr(encoder, "vocabulary", None)
            size = len(vocabulary.encode(asked.source, "skip")) if vocabulary else len(asked.source)
            tokens = self._writer.vocabulary.encode(asked.text, asked.unknown)
            if size > (most := self._bounds.prompt) or size * len(tokens) > MOST_WEIGHTS:
                raise InputError(f"the source may have {most:,} tokens, and times the text {MOST_WEIGHTS:,}.")
            weights = self._writer.attention(
                asked.text, prompt=asked.prompt, source=asked.source, unknown=asked.unknown
            )
        read = vocabulary.encode(asked.source, asked.unknown) if vocabulary else []
        places = [*vocabulary.decode_each(read), ""] if vocabulary else [""] * weights.shape[1]
        shown = [[round(float(each), 4) for each in row] for row in weights]
        return {"source": places, "tokens": self._writer.vocabulary.decode_each(tokens), "weights": shown}

    def _source(self, source: str | list[str] | Nested | None) -> Any:
        """Give a source as the writer takes it."""
        with about("source"):
            if self._picture and source is not None:
                return picture(source.value if isinstance(source, Nested) else source, self._picture)
            if isinstance(source, Nested):
                raise InputError(f"source must be a text; received {wording.shown(source.value[0])}.")
        if sum(map(len, [source] if isinstance(source, str) else source or [])) > self._bounds.prompt:
            raise Refused(400, f"sources may have {self._bounds.prompt:,} characters together.", param="source")
        return source

    def _check_tokens(self, tokens: int) -> None:
        if tokens > (most := self._bounds.prompt):
            raise Refused(400, f"prompts may have {most:,} tokens together; received {tokens:,}.", param="prompt")

    def _batch(self, asked: Asked) -> Batch:
        alternatives = 0 if asked.logprobs is None else MOST_LOGPROBS
        plain = {name: value for name, value in asked.settings if name not in _OTHERS}
        with about():
            others = [_OTHERS[name](value) for name, value in asked.settings if name in _OTHERS]
            if others:
                return self._writer.batch(alternatives=alternatives, sampler=[*others, *default_chain(**plain)])
            return self._writer.batch(alternatives=alternatives, **plain)

    def _rehearse(self, asked: Asked, source: Any) -> None:
        source = source[0] if isinstance(source, list) else source
        batch = self._batch(asked)
        batch.add(self._writer.rows("", length=1, source=source, unknown=asked.unknown))
        batch.read(1)
        batch.write(1)

    def _remember(self, structure: Hashable) -> None:
        self._known[structure] = None
        self._known.move_to_end(structure)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)


class Lanes:
    """Two threads: what takes a moment is not behind what takes seconds."""

    def __init__(self) -> None:
        """Start none yet."""
        self._quick, self._slow = ThreadPoolExecutor(1, "quick"), ThreadPoolExecutor(1, "slow")

    def of(self, quick: bool) -> ThreadPoolExecutor:
        """Give the one for a request."""
        return self._quick if quick else self._slow

    def close(self) -> None:
        """Let both end, after what they are at."""
        for lane in (self._quick, self._slow):
            lane.shutdown(wait=True, cancel_futures=True)


def _structure(settings: dict[str, Any], logprobs: int | None) -> Hashable:
    """Name what a sampler is made of, whatever the numbers: the temperature is always there."""
    return frozenset(settings) - {"temperature"}, logprobs is not None
