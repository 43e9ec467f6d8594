"""Progress of long work, where standard error is no terminal."""

from coinsorter.training.progress import show_progress


def test_without_a_terminal_there_is_a_line_for_figures_and_one_at_the_end(capsys):
    with show_progress("classifier", 3) as advance:
        advance(1)
        advance(2, {"loss": 0.25, "accuracy": 0.9})
        advance(3)
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [line for line in printed.err.splitlines() if line]
    assert lines == ["classifier 2/3 loss 0.2500 accuracy 0.9000", "classifier 3/3"]


def test_a_title_of_escapes_is_shown_and_not_obeyed(capsys):
    with show_progress("[/b]\x1b[2J", 1) as advance:
        advance(1)
    assert "[/b]\\x1b[2J 1/1" in capsys.readouterr().err
