"""Text to ids and back: which tokens a model knows, in which order, counted from its corpus.

A vocabulary is a value: it never changes, compares by content, and travels in a model file as plain JSON. It encodes
and decodes in NumPy; `Vocabulary.text_vectorization` and `Vocabulary.text_from_ids` give Keras layers that do exactly
the same in a graph.

Axis letters: B batch, T time, V vocabulary (all ids, the three reserved ones included).
"""

import functools
import itertools
import math
import numbers
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt

from tfgen.corpora.corpus import END_OF_TEXT, Corpus
from tfgen.corpora.forms import FORMS, Form, in_form, named
from tfgen.errors import InputError, check_choice, check_instance, whole_number
from tfgen.support import wording
from tfgen.vocabulary import counting, splitting
from tfgen.vocabulary.counted import Counted
from tfgen.vocabulary.counting import Coverage
from tfgen.vocabulary.splitting import Split

OnUnknown = Literal["error", "skip", "unknown"]

PADDING, UNKNOWN, END = 0, 1, 2
PADDING_TOKEN, UNKNOWN_TOKEN = "", "[UNK]"
RESERVED = (PADDING_TOKEN, UNKNOWN_TOKEN, END_OF_TEXT)  # by id

_UNKNOWN_TEXT = "\ufffd"  # what an unknown token reads as: U+FFFD REPLACEMENT CHARACTER
# What a model that goes on learning can do about tokens of a text that it lacks, see `errors.offering`.
GROWING = ("grow", "learn them too with generator.with_vocabulary (--grow-vocabulary)", "unknown")
_LOOKED_THROUGH = 100_000  # tokens, to name those that are unknown
# Before one of these a text can be cut, and its parts brought into a form one by one: none joins what is before it.
_BORDER = re.compile("[\0-\u02ff\u3000-\u3029\u4e00-\u9fff\uac00-\ud7a3]")
_SILENT = sys.maxunicode + 1  # stands for the code point of an id without text


@runtime_checkable
class Documents(Protocol):
    """What a vocabulary and batches are made from; `tfgen.corpora.Corpus` is one."""

    @property
    def documents(self) -> Iterable[str]:
        """The texts, in order."""

    @property
    def ends(self) -> bool:
        """Whether each document ends by itself, as a title does, rather than being cut off."""


class Vocabulary:
    """The tokens of a model, by id.

    Ids 0, 1 and 2 are reserved for padding, the unknown token and the end of a text. The others are single characters
    (code points), or words which keep the space before them (see `tfgen.vocabulary.splitting`).

    Attributes:
        tokens: the V tokens in id order, `("", "[UNK]", "\\x03", ...)`.
        counts: V numbers, how often each token occurs in the corpus: none for padding, the tokens that the vocabulary
            leaves out for the unknown token, the documents that end for the end of a text. All zero where no corpus
            was counted.
        split: "character" or "word".
        normalize: the Unicode normalisation form of its texts, "NFC", "NFD", "NFKC" or "NFKD", into which every text is
            brought before it becomes ids; None takes texts as they are.
        lower: whether its texts are lower case, and every text is made so before it becomes ids.

    >>> vocabulary = Vocabulary.from_texts(["to be or not to be"])
    >>> vocabulary.encode("bee")
    array([6, 7, 7], dtype=int32)
    >>> vocabulary.decode([6, 7, 3, 8])
    'be n'
    """

    tokens: tuple[str, ...]
    counts: tuple[int, ...]
    split: Split
    normalize: Form | None
    lower: bool

    def __init__(
        self,
        tokens: Sequence[str],
        counts: Sequence[int] | None = None,
        split: Split = "character",
        normalize: Form | None = None,
        lower: bool = False,
    ) -> None:
        """Make a vocabulary of given tokens.

        Args:
            tokens: the tokens without the reserved three: `tokens[k]` gets the id k + 3.
            counts: V = len(tokens) + 3 occurrences, see the attribute; all zero if None.
            split: "character" (each token is one code point) or "word".
            normalize: see the attribute.
            lower: see the attribute.

        Raises:
            InputError: a token is empty, repeated, reserved, cannot be a token, or has another form than texts are
                brought into, so that none would have it; `counts` do not fit; there is no such form.
        """
        if normalize is not None:
            check_choice("normalize", normalize, FORMS)
        check_choice("split", split, get_args(Split))
        check_instance("lower", lower, bool, "True or False")
        _check_tokens(tokens, split)
        _check_form(tokens, normalize, lower)
        self.tokens = (*RESERVED, *tokens)
        self.counts = _checked_counts(counts, len(self.tokens))
        self.split = split
        self.normalize = normalize
        self.lower = lower
        self._distinct_left_out: int | None = None  # known, with examples, only where the corpus was counted
        self._examples_left_out: tuple[tuple[str, int], ...] = ()

    @classmethod
    def from_corpus(
        cls, corpus: Documents, split: Split = "character", max_tokens: int | None = None, min_count: int = 1
    ) -> "Vocabulary":
        """Count the tokens of a corpus and keep them, the most frequent first, equal ones in code point order.

        The documents are read once, one by one, and never held together.

        Args:
            corpus: a `tfgen.corpora.Corpus`, or anything that has `documents` and `ends`.
            split: "character" or "word".
            max_tokens: the largest V wanted, the three reserved ids included; None for no limit but a million words.
            min_count: tokens that occur less often are left out.

        Returns:
            The vocabulary; its `coverage()` says what was left out.

        Raises:
            InputError: there is no text, nothing would be left, or a document holds half a character (a lone
                surrogate), NUL or U+0003.
        """
        if not isinstance(corpus, Documents):
            received = wording.shown(corpus)
            raise InputError(f"a corpus is what load_corpus gives; received {received}: for texts use from_texts.")
        form = (corpus.normalize, corpus.lower) if isinstance(corpus, Corpus) else (None, False)
        return cls._from_documents(corpus.documents, corpus.ends, split, max_tokens, min_count, *form)

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        split: Split = "character",
        max_tokens: int | None = None,
        min_count: int = 1,
        ends: bool = False,
    ) -> "Vocabulary":
        """Count the tokens of texts given as strings; see `from_corpus`.

        Args:
            texts: the texts, read once.
            split: "character" or "word".
            max_tokens: the largest V wanted, the three reserved ids included; None for no limit but a million words.
            min_count: tokens that occur less often are left out.
            ends: whether each text ends by itself.

        Raises:
            InputError: as `from_corpus` does; or `texts` is a single string.
        """
        if isinstance(texts, str):
            raise InputError("from_texts takes several texts; received one str: put it in a list, [text].")
        check_instance("texts", texts, Iterable, "an iterable of texts")
        return cls._from_documents(texts, ends, split, max_tokens, min_count)

    @classmethod
    def _from_documents(
        cls,
        documents: Iterable[str],
        ends: bool,
        split: Split,
        max_tokens: int | None,
        min_count: int,
        form: Form | None = None,
        lower: bool = False,
    ) -> "Vocabulary":
        max_tokens, min_count = checked_limits(split, max_tokens, min_count)
        counts = counting.count(documents, split, max_tokens)
        return cls._from_counts(counts, ends, split, max_tokens, min_count, form, lower)

    @classmethod
    def from_pieces(
        cls,
        pieces: Iterable[str],
        ends: bool,
        split: Split = "character",
        max_tokens: int | None = None,
        min_count: int = 1,
        counted: Counted | None = None,
        normalize: Form | None = None,
        lower: bool = False,
    ) -> "Vocabulary":
        """Count the tokens of a text that is never held as a whole; see `from_corpus`.

        Args:
            pieces: the text, cut anywhere; U+0003 stands after each document that ends.
            ends: whether the documents end by themselves.
            split: "character" or "word".
            max_tokens: the largest V wanted, the three reserved ids included; None for no limit but a million words.
            min_count: tokens that occur less often are left out.
            counted: what was counted of the text before, and where to note how far this has come.
            normalize: the normalisation form that the text is in already.
            lower: whether it is lower case already.

        Raises:
            InputError: as `from_corpus` does.

        >>> Vocabulary.from_pieces(["on", "e\x03two\x03"], ends=True).counts
        (0, 0, 2, 2, 1, 1, 1, 1)
        """
        max_tokens, min_count = checked_limits(split, max_tokens, min_count)
        check_instance("pieces", pieces, Iterable, "an iterable of texts")
        counts = counting.count_pieces(pieces, split, max_tokens, counted)
        return cls._from_counts(counts, ends, split, max_tokens, min_count, normalize, lower)

    @classmethod
    def _from_counts(
        cls,
        counts: counting.Counts,
        ends: bool,
        split: Split,
        max_tokens: int | None,
        min_count: int,
        form: Form | None,
        lower: bool,
    ) -> "Vocabulary":
        if not counts.tokens:
            raise InputError("the corpus holds no text; use one with at least one character.")
        ranked = sorted(counts.tokens.items(), key=lambda item: (-item[1], item[0]))
        wanted = None if max_tokens is None else max_tokens - len(RESERVED)
        kept = [item for item in ranked[:wanted] if item[1] >= min_count]
        if not kept:
            most = f"the most frequent, {wording.name(ranked[0][0])}, occurs {wording.number(ranked[0][1], 'time')}"
            raise InputError(f"min_count={min_count} leaves no token: {most}; lower min_count.")
        left_out = ranked[len(kept) :]
        unknown = sum(count for _, count in left_out) + counts.others
        reserved_counts = [0, unknown, counts.documents if ends else 0]
        of_tokens = [*reserved_counts, *(count for _, count in kept)]
        vocabulary = cls([token for token, _ in kept], of_tokens, split, form, lower)
        vocabulary._distinct_left_out = len(left_out) + counts.distinct_others
        vocabulary._examples_left_out = tuple(left_out if len(left_out) <= 10 else left_out[:5] + left_out[-5:])
        return vocabulary

    def extended(self, other: "Vocabulary") -> "Vocabulary":
        """Give a vocabulary that has the tokens of another one too, which all follow on those that are here.

        Args:
            other: Such as one that was counted on another text; its tokens are brought into the form of this one.

        Returns:
            The same tokens with the same ids and counts, and then those that are lacking, in the order of the other
            one and with its counts.

        Raises:
            InputError: It is no vocabulary, or of another split.

        >>> Vocabulary.from_texts(["abba"]).extended(Vocabulary.from_texts(["bccd"])).tokens[3:]
        ('a', 'b', 'c', 'd')
        """
        check_instance("other", other, Vocabulary, "a tfgen.Vocabulary")
        if other.split != self.split:
            raise InputError(
                f"tokens of one kind are added to those of the same kind; received {other.split}s for {self.split}s: "
                f"count them with split={self.split!r}."
            )
        counts = dict(zip(self.tokens, self.counts, strict=True))
        new: dict[str, int] = {}
        for token, count in zip(other.tokens[len(RESERVED) :], other.counts[len(RESERVED) :], strict=True):
            text = self.normalized(token)
            for each in text if self.split == "character" else [text] * bool(text):
                if each not in counts:
                    new[each] = new.get(each, 0) + count
        whole = counts | new
        tokens, of_tokens = [*whole][len(RESERVED) :], [*whole.values()]
        return Vocabulary(tokens, of_tokens, self.split, self.normalize, self.lower)

    @property
    def ends(self) -> bool:
        """Whether the texts of this vocabulary end by themselves (their end was counted)."""
        return self.counts[END] > 0

    @property
    def writable(self) -> npt.NDArray[np.bool_]:
        """Which tokens (V,) may ever be written: no padding, no unknown, and the end of text where texts end."""
        writable = np.ones(len(self), bool)
        writable[[PADDING, UNKNOWN, END]] = [False, False, self.ends]
        return writable

    @property
    def lengths(self) -> npt.NDArray[np.float64]:
        """How many characters each token stands for, float64 (V,): none for padding, one for unknown and for an end.

        >>> Vocabulary.from_texts(["to be"], split="word").lengths.tolist()
        [0.0, 1.0, 1.0, 3.0, 2.0]
        """
        return np.array([0, 1, 1, *map(len, self.tokens[len(RESERVED) :])], np.float64)

    @property
    def on_unknown(self) -> OnUnknown:
        """What unknown tokens of a corpus should do: a vocabulary that left none out has not learned what they mean."""
        return "unknown" if self.counts[UNKNOWN] else "error"

    def __len__(self) -> int:
        """Return V, the number of ids."""
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        """Hash by content."""
        return hash(self._content())

    def _content(self) -> tuple[Any, ...]:
        return self.tokens, self.counts, self.split, self.normalize, self.lower

    def __repr__(self) -> str:
        """Describe it without listing the tokens."""
        return f"<Vocabulary of {len(self)} tokens, split={self.split!r}>"

    @property
    def id_type(self) -> np.dtype[Any]:
        """The smallest integer type that holds every id."""
        return np.min_scalar_type(len(self) - 1)

    def encode(self, text: str, unknown: OnUnknown = "error", dtype: npt.DTypeLike = np.int32) -> npt.NDArray[Any]:
        """Turn text into ids.

        The character U+0003 gives the id of the end of a text, as any token gives its own. The text is brought into the
        form of the vocabulary first, in which the positions of a message are.

        Args:
            text: any text, of any length.
            unknown: what a token outside the vocabulary does: "error" raises, "skip" leaves it out, "unknown" gives
                it the id 1.
            dtype: of the ids, an integer type that holds all ids of the vocabulary, such as `id_type`.

        Returns:
            Ids (T,) of that type.

        Raises:
            InputError: the text holds unknown tokens (and `unknown` is "error") or a lone surrogate; the message
                names them and their positions. Or `dtype` is none that holds the ids.
        """
        if not isinstance(text, str):
            raise InputError(
                f"encode takes one str; received {wording.shown(text)}: decode bytes, and encode texts one by one."
            )
        encoded = self.encode_pieces([text], unknown, dtype)  # first, for it checks the type
        return np.concatenate([np.empty(0, dtype), *encoded])

    def encode_pieces(
        self, pieces: Iterable[str], unknown: OnUnknown = "error", dtype: npt.DTypeLike = np.int32
    ) -> Iterator[npt.NDArray[np.integer[Any]]]:
        """Turn a text that comes in pieces into ids, some at a time; see `encode`.

        Args:
            pieces: the text, cut anywhere, also within a word.
            unknown: see `encode`.
            dtype: see `encode`.

        Yields:
            Ids (t,), which joined are those of the whole text.

        Raises:
            InputError: as `encode` does.

        >>> vocabulary = Vocabulary.from_texts(["to be or not to be"], split="word")
        >>> [ids.tolist() for ids in vocabulary.encode_pieces(["to b", "e"])]
        [[], [], [7, 3]]
        """
        check_instance("pieces", pieces, Iterable, "an iterable of texts")
        return (ids for ids, _ in self.encode_from(0, self._in_form(pieces), unknown, dtype))

    def encode_from(
        self, position: int, pieces: Iterable[str], unknown: OnUnknown = "error", dtype: npt.DTypeLike = np.int32
    ) -> Iterator[tuple[npt.NDArray[np.integer[Any]], int]]:
        """Turn the rest of a text, which is in the form of the vocabulary, into ids; see `encode_pieces`.

        Args:
            position: where the rest begins, a position that this has yielded.
            pieces: the rest of the text, cut anywhere.
            unknown: see `encode`.
            dtype: see `encode`.

        Yields:
            Ids (t,), and the position after the characters that they and all before them stand for.

        Raises:
            InputError: as `encode` does.

        >>> vocabulary = Vocabulary.from_texts(["to be or not to be"], split="word")
        >>> [(ids.tolist(), position) for ids, position in vocabulary.encode_from(0, ["to be or", " not"])]
        [([7], 2), ([3], 5), ([5, 4], 12)]
        """
        whole_number("position", position, 0, most=sys.maxsize)
        check_instance("pieces", pieces, Iterable, "an iterable of texts")
        check_choice("unknown", unknown, get_args(OnUnknown))
        kind = self._checked_type(dtype)
        ids_of = self._character_ids if self.split == "character" else self._word_ids
        return self._marked(ids_of(pieces, kind, position), unknown, position)

    def _marked(
        self,
        encoded: Iterator[tuple[str | list[str], npt.NDArray[np.integer[Any]]]],
        unknown: OnUnknown,
        position: int,
    ) -> Iterator[tuple[npt.NDArray[np.integer[Any]], int]]:
        """Do with unknown tokens what is to be done, and give the position after each part."""
        for tokens, ids in encoded:
            known = ids != UNKNOWN
            if unknown == "error" and not known.all():
                more = itertools.chain.from_iterable(tokens for tokens, _ in encoded)
                raise self._unknown_error(itertools.chain(tokens, more), position)
            position += len(tokens) if isinstance(tokens, str) else sum(map(len, tokens))
            yield ids[known] if unknown == "skip" else ids, position

    @property
    def form(self) -> str:
        """The name of the form that texts are brought into; an empty one where they stay as they are.

        >>> Vocabulary(["e", "\u0308"], normalize="NFD", lower=True).form
        'NFD and lower case'
        """
        return named(self.normalize, self.lower)

    def normalized(self, text: str) -> str:
        """Bring a text into the form of the vocabulary, see `tfgen.corpora.forms`.

        >>> len(Vocabulary.from_texts(["e\u0308"]).normalized("\xeb"))
        1
        >>> len(Vocabulary(["e", "\u0308"], normalize="NFD").normalized("\xeb"))
        2
        """
        return in_form(text, self.normalize, self.lower)

    def _in_form(self, pieces: Iterable[str]) -> Iterator[str]:
        """Bring a text that is cut anywhere into the form: what is joined across a cut waits for the next border."""
        held = ""
        for piece in pieces:
            if self.normalize is None:
                yield self.normalized(piece)
                continue
            cut = next((i for i in range(len(piece) - 1, -1, -1) if _BORDER.match(piece, i)), None)
            if cut is None:
                held += piece
                continue
            yield self.normalized(held + piece[:cut])
            held = piece[cut:]
        if held:
            yield self.normalized(held)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Turn ids into text.

        Args:
            ids: integers (T,) from 0 to V - 1. Padding and the end of a text read as nothing, unknown as U+FFFD.

        Raises:
            InputError: an id is outside the vocabulary, or `ids` is not one row of integers.
        """
        checked = self._checked_ids(ids)
        if self.split == "word":
            return "".join([self._texts[i] for i in checked.tolist()])
        pieces = (checked[begin : begin + splitting.PIECE] for begin in range(0, len(checked), splitting.PIECE))
        return "".join(map(self._characters, pieces))

    def decode_each(self, ids: npt.ArrayLike) -> tuple[str, ...]:
        """Turn ids into the text of each, see `decode`.

        Raises:
            InputError: As for `decode`.
        """
        return tuple(self._texts[i] for i in self._checked_ids(ids).tolist())

    def entropy(self) -> float:
        """Return the entropy of single tokens, in nats per token, as they were counted in the corpus.

        It is the loss of a model that knows how frequent tokens are but sees no context.

        Raises:
            InputError: the vocabulary has no counts.

        >>> round(Vocabulary.from_texts(["abab"]).entropy(), 4)
        0.6931
        """
        self._check_counted()
        total = sum(self.counts)
        shares = [count / total for count in self.counts if count]
        return math.fsum(-share * math.log(share) for share in shares)

    def coverage(self) -> Coverage:
        """Return how much of its corpus the vocabulary knows.

        A loaded vocabulary still knows the share, but no longer the examples.

        Raises:
            InputError: the vocabulary has no counts.

        >>> print(Vocabulary.from_texts(["abracadabra"], min_count=2).coverage())
        covers 81.81 % of the corpus, leaving out 2 tokens of 2 kinds: 'c' (1), 'd' (1)
        """
        self._check_counted()
        total = sum(self.counts) - self.counts[END]
        left_out = self.counts[UNKNOWN]
        percent = 100 * (total - left_out) / total if total else 100.0
        return Coverage(percent, left_out, self._distinct_left_out, self._examples_left_out)

    def text_vectorization(
        self, *, ragged: bool = False, output_sequence_length: int | None = None, name: str | None = None
    ) -> Any:
        """Return the Keras layer that does what `encode(text, unknown="unknown")` does, in a graph.

        TensorFlow cannot bring text into a form: the layer takes what is in the form of the vocabulary already, see
        `normalized`.

        Args:
            ragged: return a ragged tensor rather than one that is padded with id 0.
            output_sequence_length: cut and pad every text to this T.
            name: of the layer.

        Returns:
            A `keras.layers.TextVectorization` from strings (B,) or () to int64 ids (B, T) or (T,). Its vocabulary is
            in its config, so that it survives saving.
        """
        import keras

        from tfgen.vocabulary import keras_layers

        return keras.layers.TextVectorization(
            standardize=None,
            split=keras_layers.split_words if self.split == "word" else "character",
            vocabulary=list(self.tokens[END:]),  # Keras adds the first two itself
            ragged=ragged,
            output_sequence_length=output_sequence_length,
            name=name,
        )

    def text_from_ids(self, *, name: str | None = None) -> Any:
        """Return the Keras layer that does what `decode` does, in a graph: ids (B, T) or (T,) to strings (B,) or ()."""
        from tfgen.vocabulary import keras_layers

        return keras_layers.TextFromIds(self._texts, name=name)

    def get_config(self) -> dict[str, Any]:
        """Return the vocabulary as plain JSON types."""
        return {
            "tokens": list(self.tokens[len(RESERVED) :]),
            "counts": list(self.counts),
            "split": self.split,
            # Where there is none, the file is the one that it was before there were any.
            **({} if self.normalize is None else {"normalize": self.normalize}),
            **({"lower": True} if self.lower else {}),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Vocabulary":
        """Make the vocabulary that `get_config` described.

        Raises:
            InputError: `config` is damaged.
        """
        expected = {"tokens", "counts", "split"}
        if (
            not isinstance(config, Mapping)
            or set(config) - {"normalize", "lower"} != expected
            or config["counts"] is None
        ):
            raise InputError(
                f"a vocabulary's config has {', '.join(sorted(expected))}; received {wording.shown(config)}: save the "
                "model again."
            )
        return cls(**config)

    @functools.cached_property
    def _texts(self) -> tuple[str, ...]:
        """The text of each id."""
        return ("", _UNKNOWN_TEXT, "", *self.tokens[len(RESERVED) :])

    @functools.cached_property
    def _id_by_token(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens) if i >= END}

    @functools.cached_property
    def _id_by_code(self) -> npt.NDArray[np.int32]:
        """Ids by code point; the last entry stands for every code point beyond the highest of the vocabulary."""
        codes = [ord(token) for token in self.tokens[END:]]
        table = np.full(max(codes) + 2, UNKNOWN, np.int32)
        table[codes] = np.arange(END, len(self.tokens))
        return table

    @functools.cached_property
    def _code_by_id(self) -> npt.NDArray[np.uint32]:
        return np.array([ord(text) if text else _SILENT for text in self._texts], "<u4")

    def _character_ids(
        self, pieces: Iterable[str], kind: np.dtype[Any], position: int
    ) -> Iterator[tuple[str, npt.NDArray[np.integer[Any]]]]:
        table = self._id_by_code.astype(kind)
        for piece in splitting.cut(pieces):
            # Clipping sends every high code point to the last entry, and spares NumPy a check and a buffer.
            yield piece, np.take(table, splitting.codepoints(piece, position), mode="clip")
            position += len(piece)

    def _characters(self, ids: npt.NDArray[np.integer[Any]]) -> str:
        codes = self._code_by_id[ids]
        return codes[codes != _SILENT].tobytes().decode("utf-32-le")

    def _word_ids(
        self, pieces: Iterable[str], kind: np.dtype[Any], position: int
    ) -> Iterator[tuple[list[str], npt.NDArray[np.integer[Any]]]]:
        id_by_token = self._id_by_token
        for words in splitting.word_lists(pieces, position):
            yield words, np.fromiter((id_by_token.get(word, UNKNOWN) for word in words), kind, len(words))

    def _unknown_error(self, tokens: Iterable[str], position: int) -> InputError:
        positions: dict[str, list[int]] = {}
        for token in itertools.islice(tokens, _LOOKED_THROUGH):
            if token not in self._id_by_token:
                positions.setdefault(token, []).append(position)
            position += len(token)
        named = [f"{wording.name(token)} at {wording.listed(map(str, at), 3)}" for token, at in positions.items()]
        return InputError(
            f"the text holds {self.split}s that the vocabulary lacks: {wording.listed(named, 5)}",
            [
                *self._spaced(positions),
                ("", "remove them"),
                ("unknown", "skip them with unknown='skip' (--unknown skip)"),
                ("unknown", "read each as the unknown token with unknown='unknown' (--unknown unknown)"),
            ],
        )

    def _spaced(self, unknown: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Offer a word that differs by the space before it, as the first of a text does, which has none."""
        for word in unknown if self.split == "word" else ():
            if word == " ":
                yield "", "leave out a space at its end (words begin with the space before them)"
                return
            known, how = (word[1:], "without") if word.startswith(" ") else (f" {word}", "with")
            if known in self._id_by_token:
                yield "", f"write {known!r} ({how} the space before it, as the vocabulary has it)"
                return

    def _check_counted(self) -> None:
        if not any(self.counts):
            raise InputError("this vocabulary has no counts; make it with Vocabulary.from_corpus.")

    def _checked_type(self, dtype: npt.DTypeLike) -> np.dtype[Any]:
        try:
            kind = None if dtype is None else np.dtype(dtype)  # None would be float64
        except (TypeError, ValueError):
            kind = None
        # An id that does not fit would be wrapped around into another one.
        if kind is None or kind.kind not in "iu" or np.iinfo(kind).max < len(self) - 1:
            raise InputError(
                f"dtype must be an integer type that holds ids up to {len(self) - 1:,}, such as {self.id_type.name}; "
                f"received {kind.name if kind else wording.shown(dtype)}."
            )
        return kind

    def _checked_ids(self, ids: npt.ArrayLike) -> npt.NDArray[np.integer[Any]]:
        try:
            checked = np.asarray(ids)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"decode takes one row of ids (T,); received {wording.shown(ids)}.") from None
        if checked.ndim != 1:
            raise InputError(f"decode takes one row of ids (T,) at a time; received the shape {checked.shape}.")
        if not checked.size:
            return np.empty(0, np.int32)  # an empty list has no integer type of its own
        if checked.dtype.kind not in "iu":  # spans of time are kinds of integers to NumPy
            raise InputError(f"decode takes integers, not probabilities or text; received {checked.dtype.name}.")
        lowest, highest = int(checked.min()), int(checked.max())
        if lowest < 0 or highest >= len(self):
            wrong = lowest if lowest < 0 else highest
            raise InputError(f"the ids of the vocabulary are 0 to {len(self) - 1}; received {wrong}.")
        return checked


def default_max_tokens(split: Split) -> int | None:
    """Give the largest vocabulary for training where none is asked for: all characters, but not all words.

    Raises:
        InputError: There is no such split.
    """
    check_choice("split", split, get_args(Split))
    return 10_000 if split == "word" else None


def checked_limits(split: Split, max_tokens: int | None, min_count: int) -> tuple[int | None, int]:
    """Give the limits of a vocabulary that is to be counted, which mean the same wherever they are given.

    Raises:
        InputError: There is no such split; or a limit is no whole number, or too small.

    >>> checked_limits("word", None, 1)
    (None, 1)
    """
    check_choice("split", split, get_args(Split))
    if max_tokens is not None:
        max_tokens = whole_number("max_tokens", max_tokens, len(RESERVED) + 1)
    return max_tokens, whole_number("min_count", min_count, 1)


def _check_tokens(tokens: Any, split: Split) -> None:
    if not isinstance(tokens, Sequence) or isinstance(tokens, str) or not tokens:
        raise InputError(f"tokens must be a list of at least one token; received {wording.shown(tokens)}.")
    seen = set()
    for position, token in enumerate(tokens):
        fault = _token_fault(token, split) or ("is there already" if token in seen else None)
        if fault:
            raise InputError(f"token {position} of the vocabulary, {wording.name(token)}, {fault}; remove it.")
        seen.add(token)


def _check_form(tokens: Sequence[str], normalize: Form | None, lower: bool) -> None:
    if normalize is None and not lower:
        return
    for position, token in enumerate(tokens):
        if (formed := in_form(token, normalize, lower)) != token:
            raise InputError(
                f"token {position} of the vocabulary, {wording.name(token)}, is in no text, for texts are brought into "
                f"{named(normalize, lower)}, where it is {wording.listing([*formed])}; replace it."
            )


def _token_fault(token: Any, split: Split) -> str | None:
    """Say what is wrong with a token, if anything is."""
    if not isinstance(token, str):
        return "is not a str"
    if token in RESERVED:
        return "is reserved"
    if "\0" in token:
        return "holds NUL, which Keras cannot keep in a vocabulary"
    if any("\ud800" <= character <= "\udfff" for character in token):
        return "holds half a character (a lone surrogate)"
    if split == "character" and len(token) != 1:
        return "is not a single character"
    return None


def _checked_counts(counts: Any, size: int) -> tuple[int, ...]:
    if counts is None:
        return (0,) * size
    if not isinstance(counts, Sequence) or len(counts) != size:
        raise InputError(f"counts must be a list of {size} numbers, one for each id; received {wording.shown(counts)}.")
    for position, count in enumerate(counts):
        if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 0:
            raise InputError(
                f"count {position} of the vocabulary must be a whole number from 0 up; received {wording.shown(count)}."
            )
    if counts[PADDING]:
        raise InputError(f"the count of padding, the first, must be 0; received {counts[PADDING]}.")
    return tuple(map(int, counts))
