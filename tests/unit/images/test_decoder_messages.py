"""decoder_messages: what decoders complain of is kept, and no other thread is silenced."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.images.decoder_messages import DecoderMessages
from tests.conftest import ROOT


def jpeg() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def complain(text: str) -> str:
    with DecoderMessages() as messages:
        os.write(2, text.encode())
    return messages.find_damage()


@pytest.mark.parametrize(
    "line",
    [
        "Corrupt JPEG data: premature end of data segment",
        "Corrupt JPEG data: 77 extraneous bytes before marker 0xd9",
        "Corrupt JPEG data: bad Huffman code",
        "Corrupt JPEG data: found marker 0xd4 instead of RST1",
        "Premature end of JPEG file",
    ],
)
def test_damage_that_libjpeg_names_is_found(line):
    assert complain(f"{line}\n") == line


def test_damage_that_libtiff_names_is_found():
    line = "[ERROR:0@0.65] global grfmt_tiff.cpp:116 TIFF_Error ZIPDecode: Decoding error\n"
    assert complain(line) == "ZIPDecode: Decoding error"


@pytest.mark.parametrize(
    "line",
    [
        "Corrupt JPEG data: bad ICC marker",
        "Corrupt JPEG data: 2 extraneous bytes before marker 0xd9",
        "Warning: unknown JFIF revision number 2.01",
        "libpng warning: iCCP: known incorrect sRGB profile",
        "a log's line about Corrupt JPEG data: bad Huffman code",
        "",
    ],
)
def test_what_leaves_an_image_whole_is_no_damage(line):
    assert complain(f"{line}\n") == ""


def test_decoders_are_silent_and_others_are_heard(capfd):
    content = bytearray(jpeg())
    content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    with DecoderMessages() as messages:
        os.write(2, b"another's line\n")
        cv2.imdecode(np.frombuffer(bytes(content), np.uint8), cv2.IMREAD_COLOR)
    assert messages.find_damage().startswith("Corrupt JPEG data")
    os.write(2, b"and one after it\n")
    assert capfd.readouterr().err == "another's line\nand one after it\n"


def test_each_thread_hears_of_its_own_image():
    damaged = bytearray(jpeg())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 200] = bytes(200)
    heard: dict[bool, set[bool]] = {True: set(), False: set()}

    def decode(content: bytes, is_damaged: bool) -> None:
        for _ in range(200):
            with DecoderMessages() as messages:
                cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
            heard[is_damaged].add(bool(messages.find_damage()))

    threads = [
        threading.Thread(target=decode, args=(bytes(damaged), True)),
        threading.Thread(target=decode, args=(jpeg(), False)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {True: {True}, False: {False}}


def test_standard_error_is_itself_again_after_an_error():
    before = os.fstat(2).st_ino
    with pytest.raises(ValueError, match="stop"), DecoderMessages():
        raise ValueError("stop")
    assert os.fstat(2).st_ino == before


def test_no_file_is_left_open():
    complain("x")
    before = sorted(Path("/proc/self/fd").iterdir())
    complain("x")
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_with_standard_error_closed_images_are_decoded_all_the_same():
    code = (
        "import os, sys; os.close(2)\n"
        "from coinsorter.images.decoder_messages import DecoderMessages\n"
        "for _ in range(2):\n"
        "    with DecoderMessages() as messages: pass\n"
        "print(messages.find_damage() == '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == b"True\n"
