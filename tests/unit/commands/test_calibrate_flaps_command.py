"""coinsorter calibrate flaps: what a technician types, and what config.yaml gets."""


def test_flaps_are_calibrated_by_hand_and_written_with_all_comments_kept(
    command, settings, monkeypatch
):
    words = iter(["+20", "rest", "end"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(words))
    before = settings.read_text()
    status, out, _ = command("calibrate", "flaps", "bit_20", "--write", "--config", settings)
    assert (
        status == 0
        and "bins[1].flap.rest_deg: 91.8" in out
        and out.splitlines()[-1] == f"{settings}: written"
    )
    assert settings.read_text() == before.replace(
        "{pin: 6, rest_deg: 90,", "{pin: 6, rest_deg: 91.8,"
    )


def test_flaps_that_were_not_changed_are_left_as_they_are(command, settings, monkeypatch):
    def ends(prompt):
        raise EOFError

    monkeypatch.setattr("builtins.input", ends)
    before = settings.read_text()
    status, out, _ = command("calibrate", "flaps", "--write", "--config", settings)
    assert status == 0 and "nothing to change" in out and settings.read_text() == before
