"""dataset_report: counts, reasons and images in one page that opens offline."""

import re
from pathlib import Path

from coinsorter.training.dataset.quality import REASONS
from tests.unit.training.dataset.helpers import (
    blurred,
    prepare,
    write,
)


def test_the_report_shows_counts_reasons_images_and_how_it_was_made(photographs, frames):
    write("photographs/crown_20/blurred_9000.png", blurred(frames["crown_20"][0]))
    (photographs / "bit_10" / "torn & <b>.jpg").write_bytes(b"\xff\xd8")
    prepare(photographs)
    text = Path("set/report.html").read_text()
    assert "12 of 14 images kept" in text
    cells = re.findall(r"<tr><td>(\w+)</td>((?:<td class=\"number\">\d+</td>){5})", text)
    assert {
        label: [int(n) for n in re.findall(r">(\d+)<", numbers)] for label, numbers in cells
    } == {
        "bit_10": [5, 1, 6, 6, 1],
        "crown_20": [5, 1, 6, 6, 1],
        "all": [10, 2, 12, 12, 2],
    }
    for reason in ("blurred", "unreadable"):
        assert re.search(
            rf"<td>{reason}</td><td class=\"number\">1</td><td>{re.escape(REASONS[reason])}", text
        )
    assert (
        text.count("data:image/jpeg;base64,") == 12 + 1
        and "torn &amp; &lt;b&gt;.jpg" in text
        and "<b>.jpg" not in text
    )
    assert "<pre>coinsorter-train prepare photographs --out set</pre>" in text


def test_the_report_needs_nothing_but_itself(photographs):
    prepare(photographs)
    text = Path("set/report.html").read_text()
    assert not re.findall(
        r"https?:|//[a-z]|<script|<link|@import|url\(",
        re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", text),
    )
