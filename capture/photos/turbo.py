"""TurboJPEG through ctypes: JPEG re-coded without loss, decoded strictly to planes, and encoded from planes.

Every warning of the library is an error here. Without the library `load` gives None, and photos go through Pillow instead.
Source: turbojpeg.h of libjpeg-turbo 2.1, whose calls 3.x keeps.
"""

import contextlib
import ctypes
import functools
import re
from collections.abc import Callable, Iterator
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_int16, c_ulong, c_void_p
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from capture.photos.refusals import refused

PACKAGE = "libturbojpeg0 (Debian) or jpeg-turbo (Homebrew)"
_NAMES = (
    "libturbojpeg.so.0",
    "/opt/homebrew/opt/jpeg-turbo/lib/libturbojpeg.dylib",
    "/usr/local/opt/jpeg-turbo/lib/libturbojpeg.dylib",
)
_PERFECT, _COPY_NONE = 1, 64  # TJXOPT
_RGB, _CMYK = 0, 11  # TJPF
_STRICT = 8192 | 32768 | 4096  # TJFLAG_STOPONWARNING, LIMITSCANS, ACCURATEDCT
_UNDO = {1: 0, 2: 1, 3: 6, 4: 2, 5: 3, 6: 5, 7: 4, 8: 7}  # TJXOP by EXIF orientation
SAMPLINGS = {(): 3, (1, 1): 0, (2, 1): 1, (2, 2): 2, (1, 2): 4, (4, 1): 5}  # TJSAMP by luma's factors; () is grey
_PADDED = re.compile(rb"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
_MAX_PADDING = 64

Result = TypeVar("Result")


class _Region(ctypes.Structure):
    _fields_: ClassVar = [("x", c_int), ("y", c_int), ("w", c_int), ("h", c_int)]


# Called for each row of blocks, the first component's first. It is given more arguments (regions, component) but may leave them
# unread by the System V and Arm calling conventions; turning them into Python's numbers would cost more than all that is done here.
_Filter = ctypes.CFUNCTYPE(c_int, c_void_p)


class _Transform(ctypes.Structure):
    _fields_: ClassVar = [
        ("r", _Region),
        ("op", c_int),
        ("options", c_int),
        ("data", c_void_p),
        ("filter", _Filter),
    ]


class Plane:
    """One component's samples, 8 bits each, rows without padding."""

    def __init__(self, samples: bytes | bytearray, width: int, height: int) -> None:
        self.samples, self.width, self.height = samples, width, height


class TurboJpeg:
    """The library. Stateless: each call makes a handle and destroys it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        pointers, lengths, ints = POINTER(c_void_p), POINTER(c_ulong), POINTER(c_int)
        for name, result, arguments in (
            ("tjInitTransform", c_void_p, []),
            ("tjDestroy", c_int, [c_void_p]),
            ("tjFree", None, [c_void_p]),
            ("tjAlloc", c_void_p, [c_int]),
            ("tjGetErrorStr2", c_char_p, [c_void_p]),
            ("tjPlaneWidth", c_int, [c_int] * 3),
            ("tjPlaneHeight", c_int, [c_int] * 3),
            ("tjTransform", c_int, [c_void_p, c_char_p, c_ulong, c_int, pointers, lengths, POINTER(_Transform), c_int]),
            ("tjDecompress2", c_int, [c_void_p, c_char_p, c_ulong, c_void_p, c_int, c_int, c_int, c_int, c_int]),
            ("tjDecompressToYUVPlanes", c_int, [c_void_p, c_char_p, c_ulong, pointers, c_int, ints, c_int, c_int]),
            ("tjCompressFromYUVPlanes", c_int,
             [c_void_p, pointers, c_int, ints, c_int, c_int, pointers, lengths, c_int, c_int]),
        ):  # fmt: skip
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments

    def recode(
        self, data: bytes, orientation: int, blocks: tuple[int, int] | None = None
    ) -> tuple[bytes, NDArray[np.int16] | None]:
        """`data` upright with its own coefficients; and the DC coefficient of each of the first component's blocks, rows first.

        `blocks` is how many of these the upright picture has across and down. Not yet multiplied by their quantiser; None
        if not asked for or not to be had. Raises PhotoRefused "damaged" for anything the decoder warns of.
        """
        starts: list[int] = []
        averages: list[NDArray[np.int16]] = []

        def keep(row: int) -> int:
            starts.append(row)
            if blocks and len(starts) == blocks[1]:
                averages.extend(_averages(starts, blocks[0]))
            return 0

        filters = _Filter(keep) if blocks else _Filter()
        transform = _Transform(op=_UNDO[orientation], options=_PERFECT | _COPY_NONE, filter=filters)
        size = c_ulong(len(data) + len(data) // 8)
        buffer = c_void_p(self._library.tjAlloc(size.value))
        try:
            with self._handle() as handle:
                failed = self._library.tjTransform(
                    handle, data, len(data), 1, byref(buffer), byref(size), byref(transform), _STRICT
                )
                self._check(handle, failed)
            return ctypes.string_at(buffer.value or 0, size.value), averages[0] if averages else None
        finally:
            self._library.tjFree(buffer)

    def check(self, data: bytes, size: tuple[int, int], *, is_cmyk: bool) -> bytes:
        """`data` back if it decodes with no warning at 1:8; for pictures that another decoder will decode."""
        width, height = -(-size[0] // 8), -(-size[1] // 8)
        pixels = ctypes.create_string_buffer(width * height * 4)
        with self._handle() as handle:
            self._check(handle, self._library.tjDecompress2(
                handle, data, len(data), pixels, width, 0, height, _CMYK if is_cmyk else _RGB, _STRICT
            ))  # fmt: skip
        return data

    def planes(self, data: bytes, size: tuple[int, int], luma: tuple[int, ...]) -> list[Plane]:
        """The components of `data`, decoded strictly and scaled to `size` (the whole, or its half, quarter, eighth)."""
        planes = [Plane(bytearray(w * h), w, h) for w, h in self.plane_sizes(size, luma)]
        pointers, strides = _pointers(planes)
        with self._handle() as handle:
            failed = self._library.tjDecompressToYUVPlanes(handle, data, len(data), pointers, size[0], strides, size[1], _STRICT)
            self._check(handle, failed)
        return planes

    def encode(self, planes: list[Plane], size: tuple[int, int], luma: tuple[int, ...], quality: int) -> bytes:
        """A baseline JPEG of `size` pixels of `planes`, which have `plane_sizes`, at libjpeg's `quality`."""
        pointers, strides = _pointers(planes)
        buffer, length = c_void_p(), c_ulong()
        try:
            with self._handle() as handle:
                failed = self._library.tjCompressFromYUVPlanes(
                    handle, pointers, size[0], strides, size[1], SAMPLINGS[luma],
                    byref(buffer), byref(length), quality, _STRICT,
                )  # fmt: skip
                self._check(handle, failed)
            return ctypes.string_at(buffer.value or 0, length.value)
        finally:
            self._library.tjFree(buffer)

    def plane_sizes(self, size: tuple[int, int], luma: tuple[int, ...]) -> list[tuple[int, int]]:
        """Width and height of each component's plane, for a picture of `size` pixels."""
        kind, count = SAMPLINGS[luma], 3 if luma else 1
        return [
            (self._library.tjPlaneWidth(component, size[0], kind), self._library.tjPlaneHeight(component, size[1], kind))
            for component in range(count)
        ]

    @contextlib.contextmanager
    def _handle(self) -> Iterator[int]:
        handle = self._library.tjInitTransform()  # which decodes and encodes as well
        if not handle:
            raise MemoryError
        try:
            yield handle
        finally:
            self._library.tjDestroy(handle)

    def _check(self, handle: int, failed: int) -> None:
        """Turn the library's complaint, if there is one, into ours."""
        if not failed:
            return
        message: bytes = self._library.tjGetErrorStr2(handle)
        padded = _PADDED.search(message)
        if padded and int(padded[1]) <= _MAX_PADDING:
            raise Padded(int(padded[1]))
        if b"nsufficient memory" in message or b"emory allocation" in message:
            raise MemoryError
        raise refused("damaged") from ValueError(message.decode("ascii", "replace"))


class Padded(Exception):
    """Surplus bytes before EOI, which some cameras leave there."""

    def __init__(self, count: int) -> None:
        self.count = count


def strictly(act: Callable[[bytes], Result], data: bytes) -> Result:
    """`act` on `data`, and again without the surplus bytes before EOI if that is what it complains of."""
    try:
        return act(data)
    except Padded as padded:
        with contextlib.suppress(Padded):
            return act(data[: -2 - padded.count] + b"\xff\xd9")
    raise refused("damaged")


def _averages(starts: list[int], across: int) -> list[NDArray[np.int16]]:
    """The first of every 64 coefficients, of rows of blocks that follow each other in memory at one distance; else none."""
    distance = starts[1] - starts[0] if len(starts) > 1 else 128 * across
    if distance < 128 * across or starts != list(range(starts[0], starts[0] + distance * len(starts), distance)):
        return []
    coefficients = np.ctypeslib.as_array((c_int16 * (distance // 2 * len(starts))).from_address(starts[0]))
    return [coefficients.reshape(len(starts), distance // 2)[:, : 64 * across : 64].copy()]


def _pointers(planes: list[Plane]) -> tuple[ctypes.Array[c_void_p], ctypes.Array[c_int]]:
    addresses = [
        ctypes.cast(
            (c_char * len(plane.samples)).from_buffer(plane.samples)
            if isinstance(plane.samples, bytearray)
            else c_char_p(plane.samples),
            c_void_p,
        )
        for plane in planes
    ]
    return (c_void_p * 3)(*addresses), (c_int * 3)(*(plane.width for plane in planes))


@functools.cache
def load() -> TurboJpeg | None:
    """The system's library, or None. Looked up by its name alone: ctypes' own search would start a compiler."""
    for name in _NAMES:
        with contextlib.suppress(OSError):
            return TurboJpeg(ctypes.CDLL(name))
    return None
