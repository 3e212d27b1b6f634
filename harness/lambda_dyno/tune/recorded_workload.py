"""A workload made of what a load test really sends: one iteration of its collection, recorded.

Two iterations are recorded, which both begin with the same variables. What differs between them is
made anew each time, and so it is in the workload:

- what an earlier answer had becomes a link to that answer (`{{$response...}}`);
- any other value becomes one of its kind (`{{$guid:...}}`, `{{$like:...}}`), the same throughout
  an iteration, so that what is created, read, changed and deleted is one item.

A workload travels: through the state machine's input and history, and to the evidence of a run.
So no secret may be in it: what auth made, what Postman marks as secret, and what stands where
secrets stand (`_SECRET_NAME`) is taken out, unless it is a link. Whether the function minds shows
when it is invoked: its answers must have the statuses that were recorded.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from lambda_dyno.aws.apis import ApiForm
from lambda_dyno.core.recording import SCENARIO_MARK, Recording, Sent
from lambda_dyno.tune.api_events import READING, HttpRequest, claims_of, event_of, is_invocation

REDACTED = "redacted"

# Made by the client for this one message; the API makes its own.
_OF_THE_MESSAGE = frozenset(
    {"connection", "content-length", "date", "host", "postman-token", "transfer-encoding"}
    | {"x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}
)
_OF_THE_API = re.compile(r"connection|content-.*|date|keep-alive|server|via|x-(amz|cache|dyno).*")
_STEP = re.compile(r"[\w.$@: ~-]+")  # of a pointer, that a template may have
_SECRET_NAME = re.compile(
    r"auth(?!or(?!iz))|cookie|credential|pass(word|wd|phrase)|(^|[^a-z])pwd|secret|signature|"
    r"(api|access|private|subscription|function|master|x)[-_]?key|"
    r"(access|api|auth|bearer|csrf|id|jwt|refresh|security|session|xsrf|x|client)[-_]?token|"
    r"^token$|^sig$|^jwt$|[-_]token$",
    re.IGNORECASE,
)
_NO_SECRET = frozenset({"next_token", "page_token", "continuation_token"})
_SIGNATURE = "AWS4-HMAC-SHA256 "  # API Gateway's own business
_SCHEME = re.compile(r"^(Bearer|Basic|Token|ApiKey|Digest)\s+", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_WORD = re.compile(r"[A-Za-z0-9]+")
_TEMPLATE = re.compile(r"\{\{\$[^{}]*\}\}")
_SHORTEST_SECRET = 6
_SHORTEST_TOKEN = 8
_HOLE = "\0"  # stands where both iterations have what is told apart already


@dataclass(frozen=True, slots=True)
class Made:
    """A workload, and what a reader must know of it."""

    workload: dict[str, Any]  # for tuner_contract.workload
    notes: tuple[str, ...]


def workload_of(recording: Recording, form: ApiForm, *, safe: Sequence[str] | None = None) -> Made:
    """Return the workload that an iteration is.

    Args:
        recording: Two iterations, or one.
        form: How the API calls its function.
        safe: Names of requests that may be repeated with real data, beside those that only read;
            None: all may.
    """
    secrets = [secret for one in recording.scenarios for secret in one.secrets]
    parts = [_entry_of(one, form, safe, secrets) for one in recording.scenarios]
    # who makes nothing of its own has no part in the passes
    divisor = math.gcd(
        *(one.weight for one, part in zip(recording.scenarios, parts, strict=True) if part.entry)
    )
    entries = [
        {**part.entry, **({"weight": one.weight // divisor} if len(parts) > 1 else {})}
        for one, part in zip(recording.scenarios, parts, strict=True)
        if part.entry
    ]
    return Made(
        {"requests": entries},
        tuple(
            _notes(
                sorted({place for part in parts for place in part.secret_places}),
                [name for part in parts for name in part.unrouted],
                sum(part.left_out for part in parts),
                safe,
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """What of a workload a scenario makes, and what was left out of it."""

    entry: dict[str, Any]  # empty: nothing of it goes to the function
    secret_places: frozenset[str]
    unrouted: tuple[str, ...]
    left_out: int


def _entry_of(
    recording: Recording, form: ApiForm, safe: Sequence[str] | None, secrets: Sequence[str]
) -> _Entry:
    wanted = [pair for pair in _pairs(recording) if _is_wanted(pair[0], form, safe)]
    pairs = [pair for pair in wanted if _is_routed(pair[0], form)]
    unrouted = [one.name for one, _ in wanted if one not in {kept for kept, _ in pairs}]
    texts = _templated(pairs)
    redactor = _Redactor(secrets)
    for (sent, _), parts in zip(pairs, texts, strict=True):
        redactor.look_at(sent, parts)
    requests = []
    for (sent, again), parts in zip(pairs, texts, strict=True):
        event = event_of(redactor.redacted(sent, parts), form)
        # who cannot be repeated with the same answer has none to be held to
        status = sent.status if sent.status == again.status else 0
        requests.append({"name": sent.name[:200], "event": event, "status": status})
    return _Entry(
        {"sequence": requests} if len(requests) > 1 else (requests or [{}])[0],
        frozenset(redactor.found),
        tuple(unrouted),
        len(recording.iterations[0]) - len(wanted),
    )


def _notes(
    secret_places: Sequence[str], unrouted: Sequence[str], others: int, safe: Sequence[str] | None
) -> Iterator[str]:
    if secret_places:
        yield (
            f"left out of the workload as secret: {', '.join(secret_places)}. A function "
            "that reads it itself answers otherwise, which is an error of the tuning then; "
            "pre_processor_arn can put it in"
        )
    if unrouted:
        yield f"not in the workload, for want of a route of the API: {', '.join(unrouted)}"
    if others:
        why = "to other hosts, or not answered" if safe is None else "not safe, or not answered"
        yield f"not in the workload: {others} request{'s' if others > 1 else ''} {why}"


def _is_wanted(sent: Sent, form: ApiForm, safe: Sequence[str] | None) -> bool:
    there = sent.url.startswith(form.base_url) or is_invocation(sent.url)
    if not sent.status or not there:
        return False
    if safe is None:
        return True
    own_name = sent.name.partition(SCENARIO_MARK)[2] or sent.name
    return sent.status < 400 and (sent.method in READING or sent.name in safe or own_name in safe)


def _is_routed(sent: Sent, form: ApiForm) -> bool:
    if is_invocation(sent.url):
        return True
    return event_of(HttpRequest(sent.method, sent.url), form) is not None


def _pairs(recording: Recording) -> list[tuple[Sent, Sent]]:
    """Return each request with itself in the other iteration, as far as it is there."""
    first, *others = recording.iterations
    other = others[0] if others else ()
    aligned = [(one.name, one.method) for one in first] == [(x.name, x.method) for x in other]
    again = other if aligned else [_as_if_again(one) for one in first]
    return list(zip(first, again, strict=True))


def _as_if_again(sent: Sent) -> Sent:
    """Return a request with other ids: all that a single iteration tells."""

    def changed(text: str) -> str:
        return _GUID.sub(lambda match: match[0].translate(_OTHER_DIGITS), text)

    return replace(
        sent,
        url=changed(sent.url),
        headers=tuple((name, changed(value)) for name, value in sent.headers),
        body=changed(sent.body.decode("latin-1")).encode("latin-1"),
        answer_headers=tuple((name, changed(value)) for name, value in sent.answer_headers),
        answer=changed(sent.answer),
    )


_OTHER_DIGITS = str.maketrans("0123456789abcdefABCDEF", "1234567890bcdefaBCDEFA")


# --- what is made anew ------------------------------------------------------------------------


def _parts(sent: Sent) -> list[str]:
    """Return the texts of a request: URL, body, then the values of its headers."""
    return [sent.url, _body_text(sent), *(value for _, value in sent.headers)]


def _body_text(sent: Sent) -> str:
    try:
        return sent.body.decode()
    except UnicodeDecodeError:
        return ""


def _templated(pairs: Sequence[tuple[Sent, Sent]]) -> list[list[str]]:
    """Return the texts of all requests with templates where something is made anew."""
    guids: dict[str, int] = {}
    earlier: list[_Value] = []
    sent_before = _SentBefore()
    made = []
    for index, (one, other) in enumerate(pairs):
        texts, twins = _parts(one), _parts(other)
        if len(texts) == len(twins):
            secret = [False, False, *(_is_secret(name) for name, _ in one.headers)]
            texts = [
                _text(text, twin, earlier, guids, is_secret=is_secret)
                for text, twin, is_secret in zip(texts, twins, secret, strict=True)
            ]
        made.append(texts)
        sent_before.add(_parts(one), twins)
        # what a client has made itself is in its answer only because it sent it
        values = _values(one, other, index)
        earlier = [value for value in values if not sent_before.has(value)] + earlier
    return made


@dataclass(frozen=True, slots=True)
class _Value:
    """Part of an answer."""

    text: str
    again: str  # in the other iteration
    template: str
    is_secret: bool  # by its name


class _SentBefore:
    """What was in requests so far."""

    def __init__(self) -> None:
        self._texts, self._twins = "", ""
        self._words: set[tuple[str, str]] = set()

    def add(self, texts: Sequence[str], twins: Sequence[str]) -> None:
        """Take the texts of one more request, in both iterations."""
        self._texts += "\n".join(texts)
        self._twins += "\n".join(twins)
        for text, twin in zip(texts, twins, strict=False):
            self._words |= set(zip(_WORD.findall(text), _WORD.findall(twin), strict=False))

    def has(self, value: _Value) -> bool:
        """Whether a value is somebody else's: short ones are in many texts."""
        if len(value.text) < _SHORTEST_TOKEN:
            return (value.text, value.again) in self._words
        return value.text in self._texts and value.again in self._twins


def _values(one: Sent, other: Sent, index: int) -> list[_Value]:
    """Return the parts of an answer that a later request may have, the longest first."""
    found, again = _parts_of_answer(one), _parts_of_answer(other)
    values = []
    for path, text in found.items():
        twin = again.get(path, "")
        if not text or not twin:
            continue
        secret = _is_secret(path.rpartition("/")[2])
        values.append(_Value(text, twin, f"{{{{$response.{index}{path}}}}}", secret))
        last, twin_last = text.rpartition("/")[2], twin.rpartition("/")[2]
        if path == "/headers/location" and last and twin_last:
            template = f"{{{{$response.{index}{path}|last}}}}"
            values.append(_Value(last, twin_last, template, is_secret=False))
    return sorted(values, key=lambda value: -len(value.text))


def _parts_of_answer(sent: Sent) -> dict[str, str]:
    """Return what of an answer is the function's own, by its pointer."""
    headers = ((name.lower(), value) for name, value in sent.answer_headers)
    own = {name: value for name, value in headers if not _OF_THE_API.fullmatch(name)}
    return {
        **{f"/body{path}": text for path, text in _leaves(_json(sent.answer))},
        **{f"/headers/{name}": value for name, value in own.items() if _STEP.fullmatch(name)},
    }


def _text(
    text: str, again: str, earlier: Sequence[_Value], guids: dict[str, int], *, is_secret: bool
) -> str:
    """Return a text with templates: both iterations get holes until they are the same."""
    fillings: list[str] = []

    def hole(filling: str) -> str:
        fillings.append(filling)
        return f"{_HOLE}{len(fillings) - 1}{_HOLE}"

    def dig(mine: str, twin: str, filling: str) -> None:
        nonlocal text, again
        pattern, other = (rf"(?<![A-Za-z0-9]){re.escape(x)}(?![A-Za-z0-9])" for x in (mine, twin))
        if len(re.findall(pattern, text)) == len(re.findall(other, again)) > 0:
            here = hole(filling)
            text, again = re.sub(pattern, here, text), re.sub(other, here, again)

    for value in earlier:
        anew = value.text != value.again
        # what stays the same is only worth a link where it must not be shown
        if len(value.text) >= _SHORTEST_TOKEN and (anew or is_secret or value.is_secret):
            dig(value.text, value.again, value.template)
    for mine, twin in zip(_GUID.findall(text), _GUID.findall(again), strict=False):
        if mine != twin:
            dig(mine, twin, f"{{{{$guid:{guids.setdefault(mine, len(guids) + 1)}}}}}")
    for mine, twin in zip(_MOMENT.findall(text), _MOMENT.findall(again), strict=False):
        dig(mine, twin, mine)  # one time is as good as another
    if text != again and _WORD.split(text) == _WORD.split(again):
        links = {(value.text, value.again): value.template for value in reversed(earlier)}
        words = [
            mine if mine == twin else hole(links.get((mine, twin), f"{{{{$like:{mine}}}}}"))
            for mine, twin in zip(_WORD.findall(text), _WORD.findall(again), strict=True)
        ]
        rest = iter(words)
        text = _WORD.sub(lambda _: next(rest), text)
    return re.sub(f"{_HOLE}(\\d+){_HOLE}", lambda match: fillings[int(match[1])], text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts and numbers of a JSON value, with their pointers."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            step = str(key).replace("~", "~0").replace("/", "~1")
            if _STEP.fullmatch(step):
                yield from _leaves(inner, f"{path}/{step}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{index}")
    elif isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield path, value if isinstance(value, str) else json.dumps(value)


# --- what is secret ---------------------------------------------------------------------------


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None and name.lower() not in _NO_SECRET


def _is_for_the_function(name: str, value: str) -> bool:
    return name.lower() not in _OF_THE_MESSAGE and not value.startswith(_SIGNATURE)


class _Redactor:
    """Takes secrets out of requests: first it looks at all of them, then it knows the values."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = {one for one in secrets if len(one) >= _SHORTEST_SECRET}
        self.found: set[str] = set()  # in words

    def look_at(self, sent: Sent, parts: Sequence[str]) -> None:
        """Learn the secrets of a request by the places where they stand."""
        url, body, *headers = parts
        places = [
            *(
                (f"header {name}", value)
                for (name, _), value in zip(sent.headers, headers, strict=True)
                if _is_secret(name) and _is_for_the_function(name, value)
            ),
            *((f"query {name}", value) for name, value in _query(url) if _is_secret(name)),
            *((f"body {name}", value) for name, value in _fields(body) if _is_secret(name)),
        ]
        for place, value in places:
            literal = _TEMPLATE.sub("", _SCHEME.sub("", value)).strip()
            if literal:
                self.found.add(place)
            if len(literal) >= _SHORTEST_SECRET:
                self._secrets.add(literal)

    def redacted(self, sent: Sent, parts: Sequence[str]) -> HttpRequest:
        """Return a request without secrets."""
        url, body, *values = parts
        headers = tuple(
            (name, self._value(name, value))
            for (name, _), value in zip(sent.headers, values, strict=True)
            if _is_for_the_function(name, value)
        )
        split = urlsplit(url)
        query = split.query
        if any(_is_secret(name) for name, _ in _query(url)):
            pairs = [(name, self._value(name, value)) for name, value in _query(url)]
            query = urlencode(pairs, safe="{}$:/|.")
        url = self._without(urlunsplit(split._replace(query=query)))
        claims = claims_of(sent.headers)
        request = HttpRequest(sent.method, url, headers, claims=claims and self._fields(claims))
        if sent.body and not body:  # no text
            encoded = base64.b64encode(sent.body).decode()
            return replace(request, body=encoded, is_base64=True)
        return replace(request, body=self._without(self._body(body)))

    def _body(self, body: str) -> str:
        content = _json(body)
        if isinstance(content, dict | list):
            changed = self._fields(content)
            return body if changed == content else json.dumps(changed)
        pairs = _form(body)
        if not any(_is_secret(name) for name, _ in pairs):
            return body
        redacted = [(name, self._value(name, value)) for name, value in pairs]
        return urlencode(redacted, safe="{}$:/|.")

    def _fields(self, value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            return {key: self._fields(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._fields(inner, name) for inner in value]
        return self._value(name, value) if isinstance(value, str) and name else value

    def _value(self, name: str, value: str) -> str:
        """Return a value as it may be shown: a link stays one."""
        if not _is_secret(name) or not _TEMPLATE.sub("", _SCHEME.sub("", value)).strip():
            return self._without(value)
        scheme = _SCHEME.match(value)
        return f"{scheme[0] if scheme else ''}{REDACTED}"

    def _without(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], _base64(secret)}:
                if form in text:
                    self.found.add("a value of auth")
                    text = text.replace(form, REDACTED)
        return text


def _base64(text: str) -> str:
    try:
        return base64.b64encode(text.encode()).decode().rstrip("=")
    except (UnicodeEncodeError, binascii.Error):
        return text


def _query(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


def _form(body: str) -> list[tuple[str, str]]:
    return parse_qsl(body, keep_blank_values=True) if "=" in body and "\n" not in body else []


def _fields(body: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a body, by their own names, whether it is JSON or a form."""
    content = _json(body)
    if not isinstance(content, dict | list):
        yield from _form(body)
        return
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(str(key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in value]
        elif isinstance(value, str) and name:
            yield name, value
