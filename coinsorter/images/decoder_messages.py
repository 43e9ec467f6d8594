"""What image decoders say on standard error, which is the only place where libjpeg says it.

OpenCV returns damaged JPEGs as if they were whole; libjpeg writes a line to the process's standard
error. While one image is decoded that line is caught, and what anybody else writes passes on.
"""

import os
import re
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

#: What libjpeg (jerror.h) says of an image whose data are damaged; it says only the first.
_JPEG_DAMAGE = re.compile(
    r"Corrupt JPEG data: (?!bad ICC)(?:(\d+) extraneous bytes before marker)?.*"
    r"|Premature end of JPEG file|Inconsistent progression sequence.*|Bogus Huffman table.*"
)
#: Bytes before a marker that are no damage: encoders of webcams fill up with so many.
_MAX_FILLING = 4
#: What libtiff says by OpenCV of an image that cannot be decoded as a whole.
_TIFF_DAMAGE = re.compile(r"\[ *(?:WARN|ERROR).*TIFF_Error (.*)")
#: Lines of decoders, and of OpenCV about them, which mean nothing to a user.
_DECODERS_LINE = re.compile(
    r"\[ *(?:WARN|ERROR|INFO):\d+@.*|lib(?:png|jpeg|tiff)\b.*|Corrupt JPEG data.*"
    r"|Premature end of JPEG file.*|Invalid SOS parameters.*|Unknown Adobe color transform.*"
    r"|Warning: unknown JFIF revision.*|Inconsistent progression.*|\s*"
)
#: File descriptor of the process's standard error.
_STDERR = 2
_lock = threading.Lock()


class DecoderMessages:
    """Catches what decoders write to standard error, for as long as it is entered.

    Only one thread at a time is in it. text: what they wrote, known afterwards.
    """

    def __init__(self) -> None:
        self.text = ""
        self._own = self._saved = -1

    def __enter__(self) -> Self:
        _lock.acquire()
        if sys.__stderr__ is not None:  # closed, its number may be another file's
            with suppress(OSError):  # closed meanwhile, or too many files are open
                self._redirect()
        return self

    def _redirect(self) -> None:
        saved = os.dup(_STDERR)
        try:
            self._own = os.memfd_create("coinsorter-decoder")
        except OSError:
            os.close(saved)
            raise
        os.dup2(self._own, _STDERR)
        self._saved = saved

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._saved >= 0:
                os.dup2(self._saved, _STDERR)
                self._collect()
        finally:
            _lock.release()

    def find_damage(self) -> str:
        """What is damaged in the image, "" where nothing is."""
        for line in self.text.splitlines():
            jpeg = _JPEG_DAMAGE.match(line)
            if jpeg and int(jpeg[1] or _MAX_FILLING + 1) > _MAX_FILLING:
                return jpeg[0]
            tiff = _TIFF_DAMAGE.match(line)
            if tiff:
                return tiff[1]
        return ""

    def _collect(self) -> None:
        """Keeps what decoders wrote, passes on what others did."""
        size = os.fstat(self._own).st_size
        content = os.pread(self._own, size, 0) if size else b""
        os.close(self._own)
        self.text = content.decode("utf-8", "replace")
        others = [
            line
            for line in content.splitlines(keepends=True)
            if not _DECODERS_LINE.fullmatch(line.decode("utf-8", "replace").rstrip("\r\n"))
        ]
        with suppress(OSError):  # a full or closed standard error is its writers' affair
            if others:
                os.write(self._saved, b"".join(others))
        os.close(self._saved)
