"""What several commands print: progress on standard error, totals on standard output."""

from coinsorter.commands._printing import print_totals, show_progress

TOTALS = {
    "bins": {"bit_10": 3, "reject": 2},
    "rejected": {"unsure": 2},
    "uncertain": 0,
    "open": 1,
    "seen": 6,
    "value": {"CRN": {"bit_10": 0.3, "crown_1": 1.0}},
}


def test_progress_is_on_standard_error_and_quiet_where_that_is_no_terminal(capsys):
    with show_progress("sorting", 3, quiet=True) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")
    with show_progress("sorting", 3, quiet=False) as advance:
        advance(3)
    printed = capsys.readouterr()
    assert printed.out == "" and "sorting" in printed.err and "3/3" in printed.err


def test_totals_list_bins_reasons_sums_and_value(capsys):
    print_totals(TOTALS)
    rows = [line.strip("│ ").split("│") for line in capsys.readouterr().out.splitlines()]
    cells = {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}
    assert cells == {
        "bit_10": "3",
        "reject": "2",
        "rejected: unsure": "2",
        "uncertain": "0",
        "open": "1",
        "seen": "6",
        "value, CRN": "1.30",
    }
