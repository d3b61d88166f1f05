"""What answers: addresses, bodies, streams, and clients that go away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
import time
import traceback
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tfgen.errors import InputError, check_instance
from tfgen.serving import protocol
from tfgen.serving.bounds import Bounds
from tfgen.serving.index import Page, first, of_model, opener
from tfgen.serving.measures import Measures
from tfgen.serving.pages import served_page
from tfgen.serving.pictures import shape_of
from tfgen.serving.preparing import Lanes, Preparing
from tfgen.serving.refusals import Refused, as_json
from tfgen.serving.turns import Event, Job, Turns
from tfgen.support import wording
from tfgen.text_generator import TextGenerator

_logger = logging.getLogger("tfgen.serving")

_BODY_SECONDS = 10.0  # that a client may take to send its request
_GRACE = 5.0  # seconds that it may take longer to read the answer than the answer takes
_GONE = 499  # nobody hears it: it is for the counts alone

Result = TypeVar("Result")


class Service:
    """Models that answer requests.

    Attributes:
        app: The ASGI application.
    """

    def __init__(self, models: Mapping[str, TextGenerator], bounds: Bounds, needs_token: bool) -> None:
        """Take models under their names, and compile what they need; see `tfgen.serving.application`."""
        self._bounds, self._needs_token = bounds, needs_token
        self._created = int(time.time())
        self._measures = Measures()
        self._turns = Turns(bounds.rows, self._measures.notice)
        self._measures.rows.set_function(lambda: self._turns.reserved)
        self._lanes = Lanes()
        self._patterns = 0
        self._models = {name: Preparing(name, _writer(name, model, bounds), bounds) for name, model in models.items()}
        self._sources = {
            name: "[[0, 0.5, ...], ...]" if shape_of(model.writer.model, bounds.body) else '""'
            for name, model in models.items()
            if model.writer.model.context
        }
        for model in self._models.values():
            model.warm()
        self._pages = {name: of_model(served_page(model, name, bounds)) for name, model in models.items()}
        self.app = Starlette(
            routes=[
                Route("/", self._index),
                Route("/pages/{name:path}", self._page),
                Route("/contents/{name:path}", self._contents),
                Route("/attention", self._attention, methods=["POST"]),
                Route("/healthz", self._health),
                Route("/metrics", self._metrics),
                Route("/v1/models", self._list),
                Route("/v1/models/{name:path}", self._describe),
                Route("/v1/completions", self._completions, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _no_such},
            lifespan=self._running,
        )

    def end(self) -> None:
        """Let all requests end where they are; signal handlers may call it."""
        self._turns.close()

    @contextlib.asynccontextmanager
    async def _running(self, app: Starlette) -> AsyncIterator[None]:
        thread = threading.Thread(target=self._turns.run, name="turns")
        thread.start()
        try:
            yield
        finally:
            self.end()
            self._lanes.close()
            thread.join()

    async def _index(self, request: Request) -> Response:
        address = f"{request.url.scheme}://{request.headers['host']}"
        return _html(first(self._pages, address, self._needs_token, self._sources))

    async def _page(self, request: Request) -> Response:
        page = self._pages.get(request.path_params["name"])
        if page is None:
            return _refusal(Refused(404, "there is no such page.", code="not_found"))
        return _html(opener(request.path_params["name"], page) if self._needs_token else page)

    async def _contents(self, request: Request) -> Response:
        """Give a page to the opener of it, which has the token that is needed here."""
        page = self._pages.get(request.path_params["name"])
        return _html(page) if page else _refusal(Refused(404, "there is no such page.", code="not_found"))

    async def _health(self, request: Request) -> Response:
        return _json({"status": "ok"})

    async def _metrics(self, request: Request) -> Response:
        return Response(self._measures.text(), media_type=self._measures.kind)

    async def _list(self, request: Request) -> Response:
        models = [protocol.model_object(name, self._created) for name in self._models]
        return _json({"object": "list", "data": models})

    async def _describe(self, request: Request) -> Response:
        try:
            name = self._named(request.path_params["name"])
        except Refused as refused:
            return _refusal(refused)
        return _json(protocol.model_object(name, self._created))

    def _named(self, name: str | None) -> str:
        if name is None and len(self._models) == 1:
            return next(iter(self._models))
        if name is None:
            raise Refused(400, "there are several models: name one.", param="model")
        if name not in self._models:
            known = wording.listing(self._models)
            raise Refused(
                404,
                f"there is no model {wording.shown(name)}; there are {known}.",
                param="model",
                code="model_not_found",
            )
        return name

    async def _completions(self, request: Request) -> Response:
        return await self._answered(request, self._complete)

    async def _attention(self, request: Request) -> Response:
        return await self._answered(request, self._look)

    async def _answered(self, request: Request, work: Callable[[Any, float], Awaitable[Response]]) -> Response:
        """Answer a body of JSON, or refuse it, and count that."""
        begun = time.monotonic()
        try:
            body = await self._body(request)
            response = await _while_there(request, work(protocol.parsed(body), begun))
        except (_Gone, ClientDisconnect):
            response = Response(status_code=_GONE)
        except Refused as refused:
            response = _refusal(refused)
        except Exception as error:
            # Neither the log nor the client is told what it says, which may quote what somebody wrote.
            places = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("a request failed with %s:\n%s", type(error).__name__, places)
            response = _refusal(Refused(500, "the server failed; its log says where."))
        self._measures.requests.labels(str(response.status_code)).inc()
        self._measures.seconds.observe(time.monotonic() - begun)
        return response

    async def _look(self, body: Any, begun: float) -> Response:
        asked = protocol.looked(body, self._bounds)
        look, release = self._models[self._named(asked.model)].looked, self._room(1)
        try:
            return _json(await self._beside(False, self._bounds.seconds, look, asked))
        finally:
            release()

    async def _score(self, asked: protocol.Asked, name: str) -> Response:
        release = self._room(asked.texts)
        try:
            scores = await self._beside(False, asked.seconds, self._models[name].scores, asked)
        finally:
            release()
        tokens = sum(len(score.tokens) for score in scores)
        answer = protocol.Answer(asked, name, _identity(), int(time.time()), asked.seed or 0, tokens)
        for place, score in enumerate(scores):
            answer.score(place, score)
        return _json(answer.whole())

    async def _complete(self, body: Any, begun: float) -> Response:
        asked = protocol.asked(body, self._bounds)
        name = self._named(asked.model)
        if asked.scores:
            return await self._score(asked, name)
        release = self._reserved(asked)
        run = None
        try:
            run = await self._begun(asked, name, begun + asked.seconds, release)
            await run.first()
            if asked.stream:
                stream, run = _Stream(run, begun + asked.seconds + _GRACE), None
                return stream
            async for _ in run.chunks():
                pass
            return _json(run.answer.whole())
        finally:
            if run is not None:
                run.end()

    def _reserved(self, asked: protocol.Asked) -> Callable[[], None]:
        """Keep room for a request, and give what gives it back."""
        pattern = "pattern" in dict(asked.settings)
        if pattern and self._patterns >= self._bounds.patterns:
            raise _full()
        release_room = self._room(asked.texts)
        self._patterns += pattern

        def release() -> None:
            self._patterns -= pattern
            release_room()

        return release

    def _room(self, texts: int) -> Callable[[], None]:
        if not self._turns.reserve(texts):
            raise _full()
        return lambda: self._turns.release(texts)

    async def _beside(self, quick: bool, seconds: float, work: Callable[..., Result], *given: Any) -> Result:
        """Do what takes a while beside the turns."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._lanes.of(quick), work, *given)
        except TimeoutError:
            raise Refused(503, "there was no time to begin; ask again, or give max_time more seconds.") from None

    async def _begun(self, asked: protocol.Asked, name: str, deadline: float, release: Callable[[], None]) -> _Run:
        """Prepare a request, and let it take part in the turns."""
        prepare = self._models[name]
        seed = secrets.randbits(32) if asked.seed is None else asked.seed
        try:
            prepared = await self._beside(prepare.is_quick(asked), asked.seconds, prepare, asked, seed)
        except BaseException:
            release()
            raise
        answer = protocol.Answer(asked, name, _identity(), int(time.time()), seed, prepared.tokens)
        loop, heard = asyncio.get_running_loop(), asyncio.Queue[list[Event]]()
        job = Job(
            prepared.key,
            prepared.batch,
            prepared.rows,
            deadline,
            lambda events: _put(loop, heard, events),
        )

        def end() -> None:
            self._turns.cancel(job)
            release()

        self._turns.submit(job)
        return _Run(answer, heard, end)

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, "the content type must be application/json.")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refused(415, "the body must not be compressed.")
        large = Refused(413, f"the body may have {self._bounds.body:,} bytes.", headers={"connection": "close"})
        claimed = request.headers.get("content-length", "0")
        if not claimed.isdecimal() or int(claimed[:20]) > self._bounds.body:
            raise large
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._bounds.body:
                        raise large
        except TimeoutError:
            raise Refused(408, "the body did not come in time.", headers={"connection": "close"}) from None
        return bytes(body)


class _Run:
    """A request that is being written."""

    def __init__(self, answer: protocol.Answer, heard: asyncio.Queue[list[Event]], end: Callable[[], None]) -> None:
        self.answer, self._heard, self._end = answer, heard, end
        self._next: list[Event] = []

    async def first(self) -> None:
        """Wait until something was written: what is wrong with a request is said before an answer begins.

        Raises:
            Refused: There is.
        """
        self._next = await self._heard.get()
        for event in self._next:
            _check(event)

    async def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """Give what is written, until all texts have ended."""
        while True:
            for event in self._next:
                _check(event)
                if not isinstance(event, Exception):
                    yield self.answer.take(*event)
            if self.answer.finished:
                return
            self._next = await self._heard.get()

    def end(self) -> None:
        """Let go of it, finished or not; once."""
        end, self._end = self._end, lambda: None
        end()


class _Stream(StreamingResponse):
    """A request that is sent while it is written, as server-sent events."""

    def __init__(self, run: _Run, deadline: float) -> None:
        headers = {"x-accel-buffering": "no"}
        super().__init__(self._events(run), media_type="text/event-stream", headers=headers)
        self._run, self._deadline = run, deadline

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(max(self._deadline - time.monotonic(), 0)):  # for who reads too slowly
                await super().__call__(scope, receive, send)
        except TimeoutError:
            _logger.error("a client has read its answer too slowly, and was left")
        finally:
            self._run.end()

    @staticmethod
    async def _events(run: _Run) -> AsyncIterator[bytes]:
        try:
            for chunk in run.answer.beginning():
                yield _event(chunk)
            async for chunk in run.chunks():
                if chunk["choices"][0]["text"] or chunk["choices"][0]["finish_reason"]:
                    yield _event(chunk)
        except Refused as refused:
            yield _event(refused.body())
            return
        for chunk in run.answer.ending():
            yield _event(chunk)
        yield b"data: [DONE]\n\n"


class _Gone(Exception):  # noqa: N818 - it is no error
    """The client has closed its connection."""


async def _while_there(request: Request, work: Awaitable[Result]) -> Result:
    """Do some work, and cancel it when the client goes away."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise _Gone
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})


async def _left(request: Request) -> None:
    """Return when the client goes away, of which nothing is read any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _put(loop: asyncio.AbstractEventLoop, heard: asyncio.Queue[list[Event]], events: list[Event]) -> None:
    loop.call_soon_threadsafe(heard.put_nowait, events)


def _check(event: Event) -> None:
    if isinstance(event, InputError):
        raise Refused(400, str(event))
    if isinstance(event, ConnectionAbortedError):
        raise Refused(503, str(event))
    if isinstance(event, Exception):
        raise Refused(500, "the server failed; its log says where.")


def _writer(name: str, model: TextGenerator, bounds: Bounds) -> Any:
    check_instance("a model", model, TextGenerator, "a tfgen.TextGenerator")
    writer = model.writer
    reads = getattr(writer.model, "source_ids", None) or shape_of(writer.model, bounds.body)
    if writer.model.context and not reads:
        raise InputError(
            f"{name!r} writes from a source that is neither a text nor a small picture, which no request can hold; "
            "serve another model."
        )
    return writer


def _identity() -> str:
    return f"cmpl-{uuid.uuid4().hex}"


def _full() -> Refused:
    message = "the server is full; ask again in a moment."
    return Refused(429, message, code="rate_limit_exceeded", headers={"retry-after": "1"})


def _event(value: Any) -> bytes:
    return b"data: " + as_json(value) + b"\n\n"


def _html(page: Page) -> Response:
    return Response(page.text, media_type="text/html", headers={"content-security-policy": page.policy})


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(as_json(value), status, headers, "application/json")


def _refusal(refused: Refused) -> Response:
    return _json(refused.body(), refused.status, refused.headers)


async def _no_such(request: Request, error: Exception) -> Response:
    """Answer what no route answers in the shape of the protocol too."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = {404: "there is no such address.", 405: "this address does not take this method."}
    headers = dict(getattr(error, "headers", None) or {})
    return _refusal(Refused(status, message.get(status, "the request cannot be answered."), headers=headers))
