"""A real HTTP server with OpenAI's protocol: a toy model whose tokens are characters, and faults on demand."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

MODEL = "toy"
CONTEXT_LENGTH = 512
CHUNK_CHARS = 4
KEY = "sesame"


@dataclass
class Fault:
    """What the next generation request gets instead of an answer."""

    status: int
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None
    param: str | None = None


@dataclass
class Drop:
    """The next answer breaks off after so many chunks; rudely (the connection dies) or politely (it just ends)."""

    after_chunks: int
    is_rude: bool = True


@dataclass
class Reply:
    """The next answer, in place of the toy model's: chat chunks' `choices`, verbatim."""

    choices: list[list[dict[str, Any]]]
    usage: dict[str, Any] | None = None


class FakeOpenAIServer:
    """Answers on `url` from a thread. Change its attributes at any time."""

    def __init__(self) -> None:
        self.script: list[Fault | Drop | Reply] = []
        self.bodies: list[dict[str, Any]] = []
        self.running = 0
        self.aborted = 0
        self.chunk_delay_s = 0.0
        self.has_many_samples = True
        self.ignores_many_samples = False
        self.tells_stop = True
        self.needs_key = False
        self.has_models = True
        self.owner = "toy-works"
        self.logprob = -0.5
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        config = uvicorn.Config(self._app(), log_level="critical", ws="none", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(20)
        self._socket.close()

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/models")
        async def models(request: Request) -> Any:
            if refusal := self._key_refusal(request):
                return refusal
            if not self.has_models:
                return _error(404, "no such page")
            card = {"id": MODEL, "object": "model", "created": 0, "owned_by": self.owner}
            return {"object": "list", "data": [card | {"max_model_len": CONTEXT_LENGTH}]}

        @app.get("/web/models")
        async def web() -> Any:
            return HTMLResponse("<h1>Welcome</h1>")

        @app.post("/v1/completions")
        @app.post("/v1/chat/completions")
        async def generate(request: Request) -> Any:
            body = await request.json()
            self.bodies.append(body)
            return self._key_refusal(request) or self._answer(body, is_chat="chat" in request.url.path)

        return app

    def _key_refusal(self, request: Request) -> JSONResponse | None:
        if self.needs_key and request.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401, "wrong key")
        return None

    def _answer(self, body: dict[str, Any], *, is_chat: bool) -> Any:
        turn = self.script.pop(0) if self.script else None
        if isinstance(turn, Fault):
            return _error(turn.status, turn.message, turn.headers, turn.code, turn.param)
        if body["model"] != MODEL:
            return _error(404, f"the model {body['model']} does not exist")
        if body.get("n", 1) > 1 and not self.has_many_samples:
            return _error(400, "Only n = 1 is supported", param="n")
        prompt = "".join(m["content"] for m in body["messages"]) if is_chat else body["prompt"]
        asked = body.get("max_tokens", body.get("max_completion_tokens"))
        if len(prompt) + asked > CONTEXT_LENGTH:
            message = (
                f"This model's maximum context length is {CONTEXT_LENGTH} tokens. However, you requested "
                f"{len(prompt) + asked} tokens ({len(prompt)} in the messages, {asked} in the completion)."
            )
            return _error(400, message, code="context_length_exceeded")
        chunks = (
            _reply_chunks(turn, body) if isinstance(turn, Reply) else self._toy_chunks(body, prompt, asked, is_chat)
        )
        return StreamingResponse(self._stream(chunks, turn), media_type="text/event-stream")

    async def _stream(self, chunks: list[dict[str, Any]], turn: Any) -> AsyncIterator[str]:
        self.running += 1
        is_over = False
        try:
            for sent, chunk in enumerate(chunks):
                if isinstance(turn, Drop) and sent == turn.after_chunks:
                    is_over = True
                    if turn.is_rude:
                        # Uvicorn then closes the connection without the end that chunked transfer needs.
                        raise ConnectionResetError
                    return
                yield f"data: {json.dumps(chunk)}\n\n"
                await asyncio.sleep(self.chunk_delay_s)
            yield "data: [DONE]\n\n"
            is_over = True
        finally:
            self.running -= 1
            self.aborted += not is_over

    def _toy_chunks(self, body: dict[str, Any], prompt: str, asked: int, is_chat: bool) -> list[dict[str, Any]]:
        """The stream of a model that writes random letters, repeatable by seed."""
        chunks, total = [], 0
        n = 1 if self.ignores_many_samples else body.get("n", 1)
        for index in range(n):
            text, stop = toy_text(prompt, body.get("seed"), index), None
            for candidate in body.get("stop", []):
                if candidate in text[:asked]:
                    stop, text = candidate, text[: text.index(candidate)]
            reason = "stop" if stop is not None or len(text) <= asked else "length"
            text = text[:asked]
            total += len(text)
            pieces = [text[start : start + CHUNK_CHARS] for start in range(0, len(text), CHUNK_CHARS)] or [""]
            for number, piece in enumerate(pieces):
                choice: dict[str, Any] = {"index": index, "finish_reason": None, "logprobs": None}
                choice |= {"delta": {"content": piece}} if is_chat else {"text": piece}
                if body.get("logprobs"):
                    choice["logprobs"] = _logprobs(piece, self.logprob, is_chat)
                if number == len(pieces) - 1:
                    choice["finish_reason"] = reason
                    if self.tells_stop:
                        choice["stop_reason"] = stop
                chunks.append({"choices": [choice]})
        usage = {"prompt_tokens": len(prompt), "completion_tokens": total, "total_tokens": len(prompt) + total}
        usage["prompt_tokens_details"] = {"cached_tokens": len(prompt) // 2}
        if body.get("stream_options"):
            chunks.append({"choices": [], "usage": usage})
        return [_envelope(body) | chunk for chunk in chunks]


def toy_text(prompt: str, seed: int | None, index: int) -> str:
    """What the toy model writes: 1000 letters."""
    chance = random.Random(f"{prompt}/{(seed or 0) + index}")
    return "".join(chance.choices("abcdefghij \n", k=1000))


def _logprobs(piece: str, logprob: float, is_chat: bool) -> dict[str, Any]:
    if is_chat:
        return {"content": [{"token": letter, "logprob": logprob, "top_logprobs": []} for letter in piece]}
    return {"token_logprobs": [logprob] * len(piece), "tokens": list(piece), "top_logprobs": None, "text_offset": []}


def _envelope(body: dict[str, Any]) -> dict[str, Any]:
    kind = "chat.completion.chunk" if "messages" in body else "text_completion"
    return {"id": "1", "object": kind, "created": 0, "model": MODEL}


def _reply_chunks(reply: Reply, body: dict[str, Any]) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = [{"choices": choices} for choices in reply.choices]
    if reply.usage is not None:
        chunks.append({"choices": [], "usage": reply.usage})
    return [_envelope(body) | chunk for chunk in chunks]


def _error(
    status: int,
    message: str,
    headers: dict[str, str] | None = None,
    code: str | None = None,
    param: str | None = None,
) -> JSONResponse:
    content = {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": param}}
    return JSONResponse(content, status, headers)
