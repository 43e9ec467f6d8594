"""A fresh process, from its start until it can sort."""

import json

from coinsorter.images.image_io import encode_image
from coinsorter.recognition import runtime
from coinsorter.tools.benchmark_frames import render_frames
from coinsorter.tools.benchmark_startup import measure_start_up, run_fresh_process


def test_a_fresh_process_says_when_it_was_ready_and_what_memory_it_held(crowns, tmp_path):
    frames = render_frames(crowns)[:2]
    figures = measure_start_up(crowns, runtime.pick_runtime("auto"), 4, frames, tmp_path)
    assert 0 < figures["ready_s"] < 60 and 10 < figures["rss_mb"] < 2000
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_the_process_prints_json(crowns, tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    (frame,) = render_frames(crowns)[:1]
    (images / "0.png").write_bytes(encode_image(frame.pixels, ".png"))
    run_fresh_process(crowns.path, runtime.pick_runtime("auto"), 4, tmp_path)
    assert set(json.loads(capsys.readouterr().out)) == {"ready_at", "rss_mb"}
