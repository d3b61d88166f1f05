"""The completions protocol of OpenAI: what a request says, and what an answer looks like.

https://platform.openai.com/docs/api-reference/completions. Fields beside it are settings of `TextGenerator.generate`,
under the names that they have there. A field that nobody here knows is refused, for an answer that ignores it would not
be what was asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, get_args

from tfgen.corpora.corpus import find_forbidden
from tfgen.errors import InputError, check_choice, check_instance, real_number, whole_number
from tfgen.serving.bounds import Bounds
from tfgen.serving.refusals import Refused
from tfgen.support import wording
from tfgen.terms.scores import Score
from tfgen.terms.settings import PLAIN, number
from tfgen.vocabulary.vocabulary import OnUnknown
from tfgen.writing.batch import Piece, Token
from tfgen.writing.texts import FinishReason

MOST_LOGPROBS = 10
"""Twice as many as the protocol asks for: a page shows so many."""

_MOST_STOPS, _LONGEST_PATTERN = 16, 1000

# A setting of this value does nothing, so that requests with it share a batch with those without.
_NOTHING = {
    "repetition_penalty": 1,
    "top_k": 0,
    "typical_p": 1,
    "top_p": 1,
    "min_p": 0,
    "frequency_penalty": 0,
    "presence_penalty": 0,
}

_REASONS: Mapping[FinishReason, str] = {
    "end": "stop",
    "stop": "stop",
    "nothing_left": "stop",
    "length": "length",
    "time": "length",
}


@dataclasses.dataclass(frozen=True)
class Nested:
    """A source of numbers, or of lists of them, which can be judged where the model is known.

    Attributes:
        value: As JSON has it.
    """

    value: list[Any]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request for completions.

    Attributes:
        model: The name of one.
        prompts: At least one; as many as there are sources, if several of these were given with one prompt.
        n: Texts of each prompt.
        length: New tokens of a text, at most.
        seed: Of the draws; None for any.
        stop: Strings that end a text.
        settings: Of the sampler, by name, without those that do nothing.
        logprobs: How many alternatives to tell of each token; None tells nothing.
        echo: Whether a text begins with its prompt.
        stream: Whether texts are sent while they are written.
        usage: Whether a stream ends with how many tokens there were.
        source: What a model with an encoder writes from: a text, or one for each prompt; or a picture.
        unknown: What a token outside the vocabulary does.
        drawn: How many draws of its seed each text leaves out.
        seconds: That it may take.
    """

    model: str | None
    prompts: tuple[str, ...]
    n: int
    length: int
    seed: int | None
    stop: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]
    logprobs: int | None
    echo: bool
    stream: bool
    usage: bool
    source: str | list[str] | Nested | None
    unknown: OnUnknown
    drawn: int
    seconds: float

    @property
    def scores(self) -> bool:
        """Whether it asks what the model thinks of its prompts, and for no new token."""
        return not self.length

    @property
    def texts(self) -> int:
        """How many texts it asks for."""
        return len(self.prompts) * self.n


def parsed(body: bytes) -> Any:
    """Read JSON.

    Raises:
        Refused: It is none.
    """

    def no_number(name: str) -> None:
        raise ValueError(f"{name} is not JSON.")

    try:
        return json.loads(body, parse_constant=no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "the body must be JSON in UTF-8.", code="invalid_json") from None


def asked(body: Any, bounds: Bounds) -> Asked:
    """Read a request.

    Args:
        body: What its JSON says.
        bounds: Of a request.

    Raises:
        Refused: Names the field that is wrong.
    """
    given = _given(body, _FIELDS)
    for name, harmless in _REFUSED.items():
        if given.get(name, harmless) != harmless:
            raise Refused(400, f"{name} is not supported; remove it.", param=name)
    fields = _Fields(given)
    source = fields.of("source", _source)
    prompts = tuple(fields.of("prompt", _prompts) or ("",))
    if isinstance(source, list) and not isinstance(given.get("prompt"), list):  # as in Python, one stands for all
        prompts *= len(source)
    request = Asked(
        model=fields.of("model", lambda value: _text("model", value)),
        prompts=prompts,
        n=fields.of("n", lambda value: whole_number("n", value, 1, bounds.texts)) or 1,
        length=_length(fields, bounds),
        seed=fields.of("seed", lambda value: whole_number("seed", value, -(2**63), 2**63 - 1)),
        stop=tuple(fields.of("stop", _stops) or ()),
        settings=_settings(fields),
        logprobs=fields.of("logprobs", lambda value: whole_number("logprobs", value, 0, MOST_LOGPROBS)),
        echo=fields.flag("echo"),
        stream=fields.flag("stream"),
        usage=bool(fields.of("stream_options", _usage)),
        source=source,
        unknown=fields.of("unknown", _unknown) or "error",
        drawn=fields.of("drawn", lambda value: whole_number("drawn", value, 0, 2**31 - 1)) or 0,
        seconds=fields.of("max_time", lambda value: real_number("max_time", value, above=0, at_most=bounds.seconds))
        or bounds.seconds,
    )
    _check(request, given, bounds)
    return request


_REFUSED = {"best_of": 1, "suffix": "", "logit_bias": {}}
_FIELDS = {
    *("model", "prompt", "n", "max_tokens", "seed", "stop", "logprobs", "echo", "stream", "stream_options", "user"),
    *("frequency_penalty", "presence_penalty"),
    *PLAIN,
    *("pattern", "source", "unknown", "drawn", "max_time"),
    *_REFUSED,
}


class _Fields:
    """The fields of a request that are there."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given

    def of(self, name: str, read: Callable[[Any], Any]) -> Any:
        """Read a field; None if it is not there."""
        if name not in self._given:
            return None
        with about(name):
            return read(self._given[name])

    def flag(self, name: str) -> bool:
        return bool(self.of(name, lambda value: _flag(name, value)))


@contextlib.contextmanager
def about(param: str | None = None) -> Iterator[None]:
    """Refuse a request for what the block finds wrong with it."""
    try:
        yield
    except InputError as error:
        raise Refused(400, str(error), param=param) from None


def _check(request: Asked, given: dict[str, Any], bounds: Bounds) -> None:
    if request.texts > bounds.texts:
        of = "sources" if isinstance(request.source, list) else "prompts"
        raise Refused(
            400,
            f"a request may ask for {bounds.texts} texts; received {len(request.prompts)} {of} times n={request.n}.",
            param="n",
        )
    if request.scores:
        _check_scores(request)
    elif request.echo and request.logprobs is not None:
        raise Refused(
            400,
            "echo and logprobs go together with max_tokens=0 alone: the numbers are those of new tokens.",
            param="logprobs",
        )
    if "stream_options" in given and not request.stream:
        raise Refused(400, "stream_options goes with stream=true.", param="stream_options")


def _check_scores(request: Asked) -> None:
    """Refuse what a score has no use for, so that nobody thinks that it has."""
    if not request.echo or request.logprobs is None:
        raise Refused(
            400, "max_tokens=0 scores the prompts: it goes with echo=true and logprobs=0.", param="max_tokens"
        )
    for name, useless in {
        "n": request.n > 1,
        "stop": request.stop,
        "stream": request.stream,
        **{name: name != "temperature" for name, _ in request.settings},
    }.items():
        if useless:
            raise Refused(400, f"{name} does not go with max_tokens=0, which scores the prompts.", param=name)


def _length(fields: _Fields, bounds: Bounds) -> int:
    length: int | None = fields.of("max_tokens", lambda value: whole_number("max_tokens", value, 0, bounds.length))
    return min(16, bounds.length) if length is None else length


def _text(name: str, value: Any) -> str:
    check_instance(name, value, str, "a text")
    if found := find_forbidden(value):
        raise InputError(f"{name} holds {found}; remove it.")
    return str(value)


def _texts(name: str, value: Any) -> list[str]:
    if isinstance(value, list) and value:
        return [_text(name, each) for each in value]
    return [_text(name, value if isinstance(value, str) else _no_text(name, value))]


def _no_text(name: str, value: Any) -> str:
    raise InputError(f"{name} must be a text, or a list of texts; received {wording.shown(value)}.")


def _prompts(value: Any) -> list[str]:
    return _texts("prompt", value)


def _source(value: Any) -> str | list[str] | Nested:
    if isinstance(value, list) and value and isinstance(value[0], (list, int, float)):
        return Nested(value)
    texts = _texts("source", value)
    return texts if isinstance(value, list) else texts[0]


def _stops(value: Any) -> list[str]:
    texts = _texts("stop", value)
    if len(texts) > _MOST_STOPS or not all(texts):
        raise InputError(f"stop must be up to {_MOST_STOPS} texts that are not empty; received {wording.shown(value)}.")
    return texts


def _flag(name: str, value: Any) -> bool:
    check_instance(name, value, bool, "true or false")
    return bool(value)


def _unknown(value: Any) -> str:
    check_choice("unknown", value, get_args(OnUnknown))
    return str(value)


def _usage(value: Any) -> bool:
    check_instance("stream_options", value, dict, "an object")
    return _flag("include_usage", value.get("include_usage", False))


def _pattern(value: Any) -> str:
    text = _text("pattern", value)
    if len(text) > _LONGEST_PATTERN:
        raise InputError(f"pattern must have at most {_LONGEST_PATTERN} characters; received {len(text)}.")
    return text


def _penalty(name: str, value: Any) -> float:
    return real_number(name, value, at_least=-100, at_most=100)


def _settings(fields: _Fields) -> tuple[tuple[str, Any], ...]:
    """Give the settings of the sampler that do something, in one order."""
    penalties = ("frequency_penalty", "presence_penalty")
    read: dict[str, Callable[[Any], Any]] = {
        "pattern": _pattern,
        **{name: functools.partial(_penalty, name) for name in penalties},
        **{name: functools.partial(_plain, name) for name in PLAIN},
    }
    found = {name: fields.of(name, reader) for name, reader in read.items()}
    return tuple((name, value) for name, value in found.items() if value is not None and value != _NOTHING.get(name))


def _plain(name: str, value: Any) -> float | int:
    if value == _NOTHING.get(name) and not isinstance(value, bool):
        return _NOTHING[name]
    allowed = PLAIN[name]
    # JSON has numbers that no float holds.
    found: float | int = number(name, value, allowed, 2**31 - 1 if allowed.whole else 1e300).item()
    return found


@dataclasses.dataclass(frozen=True)
class Looked:
    """A question what a text attended to in its source.

    Attributes:
        model: The name of one.
        source: A text.
        prompt: What comes before the text.
        text: Whose tokens are asked about.
        unknown: What a token outside a vocabulary does.
    """

    model: str | None
    source: str
    prompt: str
    text: str
    unknown: OnUnknown


def looked(body: Any, bounds: Bounds) -> Looked:
    """Read such a question; the arguments and what is refused are those of `asked`.

    Raises:
        Refused: Names the field that is wrong.
    """
    given = _given(body, {field.name for field in dataclasses.fields(Looked)})
    fields = _Fields(given)
    texts = {name: fields.of(name, functools.partial(_text, name)) for name in ("model", "source", "prompt", "text")}
    if sum(len(texts[name] or "") for name in ("source", "prompt", "text")) > bounds.prompt:
        raise Refused(400, f"source, prompt and text may have {bounds.prompt:,} characters together.")
    return Looked(
        model=texts["model"],
        source=texts["source"] or "",
        prompt=texts["prompt"] or "",
        text=texts["text"] or "",
        unknown=fields.of("unknown", _unknown) or "error",
    )


def _given(body: Any, known: Collection[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refused(400, 'the body must be a JSON object, such as {"prompt": "Once"}.')
    given = {name: value for name, value in body.items() if value is not None}
    for name in given.keys() - known:
        raise Refused(400, f"there is no field {wording.shorten(repr(name))}; remove it.", param=name[:100])
    return given


class Answer:
    """The answer to a request, whole or in chunks.

    Attributes:
        written: How many tokens there are so far.
    """

    def __init__(self, request: Asked, name: str, identity: str, created: int, seed: int, prompt_tokens: int) -> None:
        """Take what all parts of it say.

        Args:
            request: What was asked.
            name: Of the model.
            identity: Of this answer.
            created: Seconds since 1970.
            seed: Of the draws.
            prompt_tokens: How many were read.
        """
        self._request, self._prompt_tokens, self.written = request, prompt_tokens, 0
        self._about = {"id": identity, "object": "text_completion", "created": created, "model": name, "seed": seed}
        self._texts = [request.prompts[i // request.n] if request.echo else "" for i in range(request.texts)]
        self._offsets = [0] * request.texts
        self._logprobs: list[dict[str, list[Any]]] = [_no_logprobs() for _ in range(request.texts)]
        self._reasons: list[str | None] = [None] * request.texts

    @property
    def finished(self) -> bool:
        """Whether all texts have ended."""
        return all(self._reasons)

    def beginning(self) -> list[dict[str, Any]]:
        """Give the chunks of a stream before anything is written: the prompts, if they are echoed."""
        return [self._chunk(place, text, None, None) for place, text in enumerate(self._texts) if text]

    def take(self, place: int, piece: Piece) -> dict[str, Any]:
        """Add a piece to a text, and give the chunk that says so."""
        self.written += piece.size
        self._texts[place] += piece.text
        self._reasons[place] = _REASONS[piece.reason] if piece.reason else None
        new = None
        if self._request.logprobs is not None:
            new = _logprobs(piece.tokens, self._offsets[place], self._request.logprobs)
            self._offsets[place] += sum(len(token.text) for token in piece.tokens)
            for name, values in new.items():
                self._logprobs[place][name] += values
        return self._chunk(place, piece.text, new, self._reasons[place])

    def _chunk(self, place: int, text: str, logprobs: Any, reason: str | None) -> dict[str, Any]:
        choice = {"index": place, "text": text, "logprobs": logprobs, "finish_reason": reason}
        usage = {"usage": None} if self._request.usage else {}
        return {**self._about, "choices": [choice], **usage}

    def score(self, place: int, score: Score) -> None:
        """Let a text be what was scored, with the numbers of its tokens."""
        self._texts[place], self._reasons[place] = score.text, "length"
        told = [Token(token, float(p), ()) for token, p in zip(score.tokens, score.log_probabilities, strict=True)]
        self._logprobs[place] = _logprobs(told, 0, 0)

    def ending(self) -> list[dict[str, Any]]:
        """Give the chunks of a stream after everything: how many tokens there were, if that was asked for."""
        return [{**self._about, "choices": [], "usage": self.usage()}] if self._request.usage else []

    def whole(self) -> dict[str, Any]:
        """Give the answer as one object."""
        told = self._request.logprobs is not None
        choices = [
            {"index": place, "text": text, "logprobs": self._logprobs[place] if told else None, "finish_reason": reason}
            for place, (text, reason) in enumerate(zip(self._texts, self._reasons, strict=True))
        ]
        return {**self._about, "choices": choices, "usage": self.usage()}

    def usage(self) -> dict[str, int]:
        """Count the tokens."""
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": self.written,
            "total_tokens": self._prompt_tokens + self.written,
        }


def _no_logprobs() -> dict[str, list[Any]]:
    return {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}


def _logprobs(tokens: Sequence[Token], offset: int, most: int) -> dict[str, list[Any]]:
    """Tell of tokens as the protocol does: the one that was drawn is among its alternatives."""
    found = _no_logprobs()
    for token in tokens:
        others = dict(token.alternatives[:most])
        found["tokens"].append(token.text)
        found["token_logprobs"].append(token.log_probability)
        found["top_logprobs"].append({**others, token.text: token.log_probability} if most else None)
        found["text_offset"].append(offset)
        offset += len(token.text)
    return found


def model_object(name: str, created: int) -> dict[str, Any]:
    """Describe a model."""
    return {"id": name, "object": "model", "created": created, "owned_by": "tfgen"}
