"""OpenCV calls that are recorded and repeated."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from coinsorter.tools.kernel_recorder import KernelRecorder, list_opencv_functions
from coinsorter.vision import crop

IMAGE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def test_calls_from_any_module_are_recorded_in_order():
    recorder = KernelRecorder()
    with recorder.record():
        cv2.blur(IMAGE, (3, 3))
        crop.rotate_quarters(IMAGE, 3)
    names = [call.func.__name__ for call in recorder.calls]
    assert names == ["blur", "rotate", "rotate"]


def test_calls_of_other_threads_are_not_recorded():
    recorder = KernelRecorder()
    with recorder.record(), ThreadPoolExecutor(max_workers=1) as other:
        blurred = other.submit(lambda: cv2.blur(IMAGE, (3, 3))).result()
    assert blurred.shape == IMAGE.shape
    assert recorder.calls == []


def test_recorded_work_gives_the_same_results():
    recorder = KernelRecorder()
    expected = cv2.blur(IMAGE, (3, 3))
    with recorder.record():
        result = cv2.blur(IMAGE, ksize=(3, 3))
    assert np.array_equal(result, expected)
    assert np.array_equal(recorder.calls[0](), expected)


def test_repeating_writes_to_the_same_place_again():
    recorder, target = KernelRecorder(), np.zeros_like(IMAGE)
    with recorder.record():
        cv2.flip(IMAGE, 0, dst=target)
    target[:] = 0
    recorder.repeat()
    assert np.array_equal(target, IMAGE[::-1])


def test_opencv_is_as_it_was_after_an_error():
    before = list_opencv_functions()
    with pytest.raises(cv2.error), KernelRecorder().record():
        cv2.blur(IMAGE, (0, 0))
    assert list_opencv_functions() == before


def test_nothing_is_recorded_after_the_block():
    recorder = KernelRecorder()
    with recorder.record():
        pass
    cv2.blur(IMAGE, (3, 3))
    assert recorder.calls == []
