"""Reads the text of a PDF of ours back: content streams through each font's ToUnicode map, in the order of drawing."""

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\n(.*?)\nendstream", re.DOTALL)
_FONT = re.compile(rb"/(F\d+) (\d+) 0 R")
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:\\.|[^\\()])*)\) Tj|\[(.*?)\] TJ", re.DOTALL)
_PIECE = re.compile(rb"\(((?:\\.|[^\\()])*)\)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, one drawn piece a line."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    fonts = {name: _letters(objects, int(number)) for name, number in set(_FONT.findall(pdf))}
    streams = [_stream(body) for body in objects.values() if b"/Type /Page\n" in body + b"\n" or b"stream" in body]
    return [_text(stream, fonts) for stream in streams if b" Tf ET" in stream]


def text_of(pdf: bytes) -> str:
    return "\n".join(pages_of(pdf))


def _letters(objects: dict[int, bytes], number: int) -> dict[int, str]:
    found = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
    assert found, "a font without a ToUnicode map: its text cannot be read back"
    chart = _stream(objects[int(found[1])]).decode()
    letters = {}
    for code, target in re.findall(r"<([0-9A-F]{2,4})>\s+<([0-9A-F]{4,8})>\n", chart):
        letters[int(code, 16)] = bytes.fromhex(target).decode("utf-16-be")
    return letters


def _stream(body: bytes) -> bytes:
    found = _STREAM.search(body)
    if not found:
        return b""
    return zlib.decompress(found[1]) if b"/FlateDecode" in body else found[1]


def _text(stream: bytes, fonts: dict[bytes, dict[int, str]]) -> str:
    lines, letters = [], {}
    for font, piece, pieces in _SHOWN.findall(stream):
        if font:
            letters = fonts[font]
            continue
        raw = b"".join(_plain(part) for part in ([piece] if piece else _PIECE.findall(pieces)))
        lines.append("".join(letters[(raw[at] << 8) + raw[at + 1]] for at in range(0, len(raw), 2)))
    return "\n".join(lines)


def _plain(piece: bytes) -> bytes:
    return re.sub(rb"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), piece, flags=re.DOTALL)
