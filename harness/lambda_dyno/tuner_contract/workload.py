"""A workload: what a function is asked, as events, in the proportions and the order of a load.

    {"requests": [{"name": "read", "weight": 9, "event": {...}, "status": 200},
                  {"weight": 1, "sequence": [{"name": "create", "event": {...}}, ...]}]}

One pass makes every entry as often as its weight says, mixed; the requests of a sequence follow
each other. Texts of an event may have templates, which each invocation fills anew:

- `{{$n}}`: number of the invocation, `{{$pass}}`: of the pass, `{{$power}}`: memory size in MB;
- `{{$guid}}`: another id each time; `{{$guid:NAME}}`: the same one throughout a sequence;
- `{{$like:VALUE}}`: another value of the shape of VALUE, the same one throughout a sequence;
- `{{$response.NAME/body/id}}`: part of an earlier answer in the same sequence, by a JSON pointer
  (RFC 6901). NAME is a request's name, or its place from 0; `|last` takes what is behind the last
  slash. The body of an API's answer is parsed, names of headers are in small letters.
"""

from __future__ import annotations

import base64
import json
import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from lambda_dyno.tuner_contract.values import WrongValueError, shown

NAMES_MAX_CHARS = 200
PASS_MAX_REQUESTS = 1_000
_READABLE_BYTES = 30_000
_MOST_BYTES = 8_000_000  # as an object in S3
_WEIGHT_MAX = 1_000
_STATUS = range(100, 600)
_TEMPLATE = re.compile(r"\{\{\s*(\$[^{}]*?)\s*\}\}")
_PLAIN = ("$n", "$pass", "$power", "$guid")
_RESPONSE = re.compile(r"\$response\.(?P<name>[^/|]+|\d+)(?P<path>(?:/[^/|]*)*)(?P<last>\|last)?")
_KNOWN = "$n, $pass, $power, $guid, $guid:NAME, $like:VALUE, $response.NAME/POINTER"
_EPOCH_DIGITS = 10  # a number this long is a time: its first digits stay
_EPOCH_KEPT = 4


class LinkError(Exception):
    """A request needs part of an earlier answer that is not there."""


class Request(NamedTuple):
    """One request of a workload."""

    name: str
    event: Any  # JSON, its texts with templates
    status: int = 0  # that its answer has; 0: whatever it has


class Place(NamedTuple):
    """Where an invocation is in a pass."""

    slot: int  # of the pass: a sequence, or a request alone
    step: int  # of the sequence
    request: int  # position among the workload's requests


class Workload(NamedTuple):
    """A checked workload."""

    requests: tuple[Request, ...]  # each once, those of sequences too
    places: tuple[Place, ...]  # of one pass

    @classmethod
    def parse(cls, raw: Any) -> Workload:
        """Return the workload of a JSON value, or of one that was `packed`.

        Raises:
            WrongValueError: It is none; the message names the entry and what is allowed.
        """
        if isinstance(raw, Workload):
            return raw
        if isinstance(raw, str):
            raw = _unpacked(raw)
        entries = raw.get("requests") if isinstance(raw, Mapping) else None
        if not isinstance(entries, list) or not entries:
            raise WrongValueError(
                'must be an object with a list, such as {"requests": [{"name": "read", '
                f'"event": {{}}}}]}}, not {shown(raw)}'
            )
        _no_others(raw, ("requests",), "")
        requests: list[Request] = []
        spans: list[range] = []
        weights: list[int] = []
        for index, entry in enumerate(entries):
            where = f"requests[{index}]"
            weights.append(_weight(entry, where))
            sequence = entry.get("sequence")
            if sequence is not None and (not isinstance(sequence, list) or not sequence):
                raise WrongValueError(f"{where}.sequence: must be a list of requests")
            start = len(requests)
            for place, one in enumerate(sequence or [entry]):
                at = f"{where}.sequence[{place}]" if sequence else where
                allowed = ("weight",) if not sequence else ()
                requests.append(_request(one, at, requests[start:], allowed))
            if sequence:
                _no_others(entry, ("sequence", "weight"), where)
            spans.append(range(start, len(requests)))
        length = sum(weight * len(span) for weight, span in zip(weights, spans, strict=True))
        if length > PASS_MAX_REQUESTS:
            raise WrongValueError(
                f"a pass has {length} requests by the weights, and at most {PASS_MAX_REQUESTS}"
            )
        places = tuple(
            Place(slot, step, request)
            for slot, entry in enumerate(_mixed(weights))
            for step, request in enumerate(spans[entry])
        )
        return cls(tuple(requests), places)

    @property
    def linked(self) -> bool:
        """Whether a request needs an earlier answer."""
        return any(_links(request.event) for request in self.requests)

    def whole_passes(self, num: int) -> int:
        """Return the least number of invocations, from `num` on, that are whole passes."""
        return -(-num // len(self.places)) * len(self.places)

    def place(self, number: int) -> Place:
        """Return where an invocation is, counted from 0; those before it warm up."""
        return self.places[number % len(self.places)]


class Replay:
    """A workload at one memory size: its events filled, from the answers as they come.

    Args:
        workload: What is asked.
        seed: Whose values these are: another one makes others.
        power: Memory size in MB.
    """

    def __init__(self, workload: Workload, seed: str, power: int) -> None:
        self.workload = workload
        self._seed = f"{seed}/{power}"
        self._power = power
        self._answers: dict[int, Any] = {}  # by the number of the invocation
        self._needed = {
            start + place.step
            for start, place in _each_with_links(workload)
            for place in _needed_by(workload, start, place)
        }

    def event(self, number: int) -> Any:
        """Return the event of an invocation, filled.

        Raises:
            LinkError: An earlier answer does not have what it needs.
        """
        workload, place = self.workload, self.workload.place(number)
        start = number - place.step
        instance = f"{self._seed}/{start}"

        def value(template: str) -> Any:
            kind, _, argument = template.partition(":")
            match kind:
                case "$n":
                    return number
                case "$pass":
                    return number // len(workload.places)
                case "$power":
                    return self._power
                case "$guid":
                    alone = f"{self._seed}/#{number}"
                    return _guid(f"{instance}/{argument}" if argument else alone)
                case "$like":
                    return like(argument, instance)
            return self._linked(start, place, template)

        return _filled(workload.requests[place.request].event, value)

    def missing(self, number: int) -> list[int]:
        """Return the invocations of its sequence whose answers it needs, and that are not there."""
        place = self.workload.place(number)
        start = number - place.step
        needed = (start + one.step for one in _needed_by(self.workload, start, place))
        return sorted(one for one in needed if one not in self._answers)

    def answered(self, number: int, answer: bytes) -> None:
        """Keep an answer, if a later request of the sequence needs it, and forget older ones."""
        if number % len(self.workload.places) in self._needed:
            try:
                self._answers[number] = json.loads(answer or b"null")
            except ValueError:
                self._answers[number] = answer.decode(errors="replace")

    def values(self, number: int) -> list[str]:
        """Return what an invocation got from earlier answers: it may be secret."""
        place = self.workload.place(number)
        start = number - place.step
        found = []
        for template in _links(self.workload.requests[place.request].event):
            try:
                found.append(_text(self._linked(start, place, template)))
            except LinkError:
                continue
        return found

    def _linked(self, start: int, place: Place, template: str) -> Any:
        link = _RESPONSE.fullmatch(template)
        assert link is not None, template  # `parse` has looked at it
        step = _step_of(self.workload, start, place, link["name"])
        name = self.workload.requests[place.request - place.step + step].name
        if start + step not in self._answers:
            raise LinkError(f"there is no answer of `{name}`")
        found = _part(self._answers[start + step], link["path"])
        if found is None:
            raise LinkError(f"the answer of `{name}` has no {link['path'] or 'content'}")
        return _text(found).rstrip("/").rpartition("/")[2] if link["last"] else found


def packed(raw: Any) -> Any:
    """Return a workload as short as it gets: Step Functions counts its bytes.

    Events of an API are alike, so they take a tenth of it; a short one stays to be read.
    """
    text = json.dumps(raw)
    if len(text) <= _READABLE_BYTES:
        return raw
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _unpacked(text: str) -> Any:
    try:
        reader = zlib.decompressobj()
        content = reader.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
        if not reader.eof:
            raise WrongValueError(f"it is longer than {_MOST_BYTES / 1e6:g} MB")
        return json.loads(content)
    except (ValueError, zlib.error) as error:
        if isinstance(error, WrongValueError):
            raise
        return text  # no object, which is said


def status_of(answer: bytes) -> int:
    """Return the HTTP status that an API would make of a function's answer; 0: it says none."""
    try:
        status = json.loads(answer or b"null").get("statusCode")
        return int(status)
    except (ValueError, TypeError, AttributeError):
        return 0


def templates(event: Any) -> Iterator[str]:
    """Yield what stands between the braces of an event's templates."""
    for text in _texts(event):
        yield from _TEMPLATE.findall(text)


def like(value: str, seed: str) -> str:
    """Return another value of the same shape: digits for digits, letters for letters.

    Hexadecimal stays hexadecimal, and of a number as long as a time the first digits stay.
    """
    source = random.Random(f"{seed}/{value}")  # noqa: S311 - to be different, not secret
    letters = [letter for letter in value.lower() if letter.isalpha()]
    alphabet = "abcdef" if all(letter in "abcdef" for letter in letters) else _LETTERS
    kept = _EPOCH_KEPT if value.isdecimal() and len(value) >= _EPOCH_DIGITS else 0
    made = []
    for index, letter in enumerate(value):
        if index < kept or not letter.isascii() or not letter.isalnum():
            made.append(letter)
        elif letter.isdecimal():
            made.append(source.choice("123456789" if letter != "0" or not index else "0123456789"))
        else:
            other = source.choice(alphabet)
            made.append(other.upper() if letter.isupper() else other)
    return "".join(made)


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _guid(seed: str) -> str:
    bits = random.Random(seed).getrandbits(128)  # noqa: S311 - to be different, not secret
    bits = bits & ~(0xF << 76) | 4 << 76
    text = f"{bits & ~(0x3 << 62) | 2 << 62:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


# --- what an event needs ----------------------------------------------------------------------


def _links(event: Any) -> list[str]:
    return [template for template in templates(event) if template.startswith("$response")]


def _each_with_links(workload: Workload) -> Iterator[tuple[int, Place]]:
    """Yield the places of a pass that need earlier answers, with where their sequence starts."""
    for number, place in enumerate(workload.places):
        if _links(workload.requests[place.request].event):
            yield number - place.step, place


def _needed_by(workload: Workload, start: int, place: Place) -> Iterator[Place]:
    for template in _links(workload.requests[place.request].event):
        link = _RESPONSE.fullmatch(template)
        assert link is not None
        yield workload.place(start + _step_of(workload, start, place, link["name"]))


def _step_of(workload: Workload, start: int, place: Place, name: str) -> int:
    """Return which step of a sequence a link means: the last of that name before it."""
    if name.isdecimal():
        return int(name)
    names = [
        workload.requests[workload.place(start + step).request].name for step in range(place.step)
    ]
    return len(names) - 1 - names[::-1].index(name)


# --- filling ----------------------------------------------------------------------------------


def _filled(value: Any, of: Callable[[str], Any]) -> Any:
    if isinstance(value, str):
        whole = _TEMPLATE.fullmatch(value)
        if whole:
            return of(whole[1])  # as it is: a number stays one
        return _TEMPLATE.sub(lambda match: _text(of(match[1])), value) if "{{" in value else value
    if isinstance(value, dict):
        return {_filled(key, of): _filled(inner, of) for key, inner in value.items()}
    return [_filled(inner, of) for inner in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _part(answer: Any, pointer: str) -> Any:
    """Return what a pointer means in an answer; None if there is no such thing."""
    steps = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    found = answer
    if steps[:1] == ["body"] and isinstance(answer, dict):
        # an HTTP API takes an answer without a status for the body
        found = {"body": _body(answer) if "statusCode" in answer else answer}
    elif steps[:1] == ["headers"] and isinstance(answer, dict):
        several = answer.get("multiValueHeaders") or {}
        headers = {name: values[0] for name, values in several.items() if values}
        headers |= answer.get("headers") or {}
        found = {"headers": {name.lower(): value for name, value in headers.items()}}
    for step in steps:
        if isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict):
            found = found.get(step)
        else:
            return None
    return found


def _body(answer: Mapping[str, Any]) -> Any:
    body = answer.get("body")
    try:
        text = base64.b64decode(body) if answer.get("isBase64Encoded") and body else body
        return json.loads(text) if isinstance(text, str | bytes) else text
    except ValueError:
        return body


# --- reading ----------------------------------------------------------------------------------


def _weight(entry: Any, where: str) -> int:
    if not isinstance(entry, Mapping):
        raise WrongValueError(f"{where}: must be an object, not {shown(entry)}")
    weight = entry.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= _WEIGHT_MAX:
        raise WrongValueError(
            f"{where}.weight: {shown(weight)} is not allowed: a whole number, 1 to {_WEIGHT_MAX}"
        )
    return weight


def _request(raw: Any, where: str, before: list[Request], also: tuple[str, ...] = ()) -> Request:
    if not isinstance(raw, Mapping):
        raise WrongValueError(f"{where}: must be an object, not {shown(raw)}")
    _no_others(raw, ("name", "event", "status", *also), where)
    name, status = raw.get("name"), raw.get("status", 0)
    if not isinstance(name, str) or not name.strip() or len(name) > NAMES_MAX_CHARS:
        raise WrongValueError(
            f"{where}.name: {shown(name)} is not allowed: a text of 1 to {NAMES_MAX_CHARS} letters"
        )
    if "event" not in raw:
        raise WrongValueError(f"{where}.event: missing: what the function is sent")
    if status and (isinstance(status, bool) or status not in _STATUS):
        raise WrongValueError(f"{where}.status: {shown(status)} is no HTTP status")
    for template in templates(raw["event"]):
        _check(template, where, before)
    return Request(name, raw["event"], status)


def _check(template: str, where: str, before: list[Request]) -> None:
    kind, _, argument = template.partition(":")
    if template in _PLAIN or (kind in ("$guid", "$like") and argument):
        return
    link = _RESPONSE.fullmatch(template)
    if link is None:
        raise WrongValueError(f"{where}: {{{{{template}}}}} is not known; allowed: {_KNOWN}")
    name = link["name"]
    names = [request.name for request in before]
    if not (int(name) < len(names) if name.isdecimal() else name in names):
        known = ", ".join(f"`{one}`" for one in names) or "none, it is the first"
        raise WrongValueError(
            f"{where}: {{{{{template}}}}}: no request before it in its sequence is `{name}`; "
            f"there are {known}"
        )


def _no_others(raw: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    others = sorted(raw.keys() - set(allowed))
    if others:
        label = f"{where}.{others[0]}" if where else str(others[0])
        raise WrongValueError(f"{label}: unknown key; allowed: {', '.join(allowed)}")


def _mixed(weights: list[int]) -> list[int]:
    """Return each position as often as its weight, spread evenly (smooth weighted round robin)."""
    total, due = sum(weights), [0] * len(weights)
    order = []
    for _ in range(total):
        due = [now + weight for now, weight in zip(due, weights, strict=True)]
        best = max(range(len(due)), key=lambda position: (due[position], -position))
        due[best] -= total
        order.append(best)
    return order
