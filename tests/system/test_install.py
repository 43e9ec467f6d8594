"""The installer on an emulated Pi: what it puts where, twice, and what it leaves; updates."""

import shutil

import pytest

from tests.conftest import only_in_full
from tests.system.conftest import INSTALL, Outcome, Rig

SNAPSHOT = "/usr/bin/python3 guest/snapshot.py >rig-out"
# Changes the sources into another release.
NEXT = "sed -i 's/__version__ = .*/__version__ = \"9.9.9\"/' coinsorter/__init__.py"


# A service that starts whatever the camera and the pins are, unless release 9.9.9 is in use.
def stand_in(unless: str) -> str:
    return f"""
        mkdir -p /etc/systemd/system/coinsorter.service.d && cp guest/play.py /usr/local/lib/
        play='ExecStart=/usr/bin/python3 /usr/local/lib/play.py unless {unless}'
        printf '[Service]\\nExecStart=\\n%s\\n' "$play" \\
            >/etc/systemd/system/coinsorter.service.d/test.conf
        systemctl daemon-reload
        systemctl start coinsorter
    """


def differences(
    before: dict[str, list], after: dict[str, list], ignoring_time: bool = False
) -> set[str]:
    """Paths that are not the same in two snapshots."""
    places = [0, 1, 2, 4] if ignoring_time else [0, 1, 2, 3, 4]
    known = [
        {path: [entry[place] for place in places] for path, entry in snapshot.items()}
        for snapshot in (before, after)
    ]
    return {
        path for path in before.keys() | after.keys() if known[0].get(path) != known[1].get(path)
    }


def settings_for(driver: str, *pins: int) -> str:
    """Gives the machine another servo driver, and no bins but one for each of these pins."""
    bins_and_places = zip(pins, ("bit_10", "bit_20"), (160, 200))
    bins = "".join(
        f"  - {{name: {name}, labels: [{name}], flap: {{pin: {pin}, distance_mm: {mm}}}}}\\n"
        for pin, name, mm in bins_and_places
    )
    return f"""
        sed -i -e 's/driver: gpio /driver: {driver} /' \
            -e '/- name: bit_10/,/reject_bin/{{/reject_bin/!d}}' \
            -e 's/^bins:/bins:\\n{bins}/' /etc/coinsorter/config.yaml
    """


@pytest.fixture(scope="module")
def installed(rig: Rig) -> Outcome:
    """A machine that is installed twice, has sorted and been set up, and is uninstalled."""
    outcome = rig.run(
        f"""
        {SNAPSHOT}/0-before.json
        {INSTALL}
        {SNAPSHOT}/1-installed.json
        systemctl is-enabled coinsorter >rig-out/enabled
        id --name --groups coinsorter >rig-out/groups
        systemd-analyze verify coinsorter.service coinsorter-reboot.service >rig-out/verified 2>&1
        coinsorter check /etc/coinsorter/config.yaml >rig-out/checked
        systemctl show --property RuntimeWatchdogUSec >rig-out/watchdog
        {INSTALL}
        {SNAPSHOT}/2-again.json
        install -d -o coinsorter -g coinsorter /var/lib/coinsorter
        echo coins | install -o coinsorter -g coinsorter /dev/stdin /var/lib/coinsorter/ledger.db
        echo '# ours' >>/etc/coinsorter/config.yaml
        make uninstall >rig-out/uninstalled
        {SNAPSHOT}/3-uninstalled.json
        cat /var/lib/coinsorter/ledger.db >rig-out/ledger
        tail -1 /etc/coinsorter/config.yaml >rig-out/settings
        ! id coinsorter 2>rig-out/no-user
        """
    )
    assert outcome.status == 0, outcome.printed
    return outcome


def test_an_installed_machine_starts_with_the_next_boot_in_its_groups(installed):
    assert installed.text("enabled") == "enabled\n"
    assert set(installed.text("groups").split()) == {"coinsorter", "video", "gpio", "render", "i2c"}


def test_installed_units_and_settings_have_no_mistakes(installed):
    assert installed.text("verified") == ""
    first, second = installed.text("checked").splitlines()
    assert first == "/etc/coinsorter/config.yaml: no mistakes"
    assert second.startswith("/opt/coinsorter/current/models/crowns: sha256 ")


def test_installing_puts_files_only_where_they_belong(installed):
    new = installed.json("1-installed.json").keys() - installed.json("0-before.json").keys()
    places = (
        "/opt/coinsorter",
        "/etc/coinsorter",
        "/etc/systemd/",
        "/etc/sysusers.d",
        "/usr/local/bin/coinsorter",
    )
    accounts = {"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock"}
    assert {path for path in new if not path.startswith(places)} <= accounts
    assert (
        "/opt/coinsorter/current" in new
        and "/etc/systemd/system/multi-user.target.wants/coinsorter.service" in new
    )


def test_installing_the_same_again_changes_nothing(installed):
    assert differences(installed.json("1-installed.json"), installed.json("2-again.json")) == set()


def test_uninstalling_leaves_the_ledger_and_the_settings_only(installed):
    before, after = installed.json("0-before.json"), installed.json("3-uninstalled.json")
    left = differences(before, after, ignoring_time=True)
    accounts = {
        path
        for path in left
        if path.startswith(
            ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/.pwd.lock")
        )
    }
    expected = {
        "/etc/coinsorter",
        "/etc/coinsorter/config.yaml",
        "/var/lib/coinsorter",
        "/var/lib/coinsorter/ledger.db",
    }
    assert left - accounts == expected
    assert (installed.text("ledger"), installed.text("settings")) == ("coins\n", "# ours\n")
    assert "no such user" in installed.text("no-user")


def test_uninstalling_says_what_it_leaves(installed):
    said = installed.text("uninstalled")
    assert "/etc/coinsorter/config.yaml stays" in said and "/var/lib/coinsorter stays" in said


def test_an_update_that_fails_its_self_test_is_not_used(rig):
    outcome = rig.run(
        f"""
        {INSTALL}
        readlink /opt/coinsorter/current >rig-out/before
        {NEXT}
        printf x >>models/crowns/classifier.tflite
        ! {INSTALL} 2>rig-out/said
        readlink /opt/coinsorter/current >rig-out/after
        coinsorter --version >rig-out/version
        ls /etc/coinsorter >rig-out/settings
        """
    )
    assert outcome.status == 0, outcome.printed
    assert outcome.text("before") == outcome.text("after")
    assert outcome.text("version") != "coinsorter 9.9.9\n"
    assert "9.9.9" in outcome.text("said") and "classifier.tflite" in outcome.text("said")
    assert outcome.text("settings") == "config.yaml\n"


def test_an_update_that_does_not_start_is_taken_back(rig):
    outcome = rig.run(
        f"""
        {INSTALL}
        {stand_in("9.9.9")}
        readlink /opt/coinsorter/current >rig-out/before
        {NEXT}
        ! {INSTALL} 2>rig-out/said
        readlink /opt/coinsorter/current >rig-out/after
        systemctl is-active coinsorter >rig-out/active
        """
    )
    assert outcome.status == 0, outcome.printed
    assert outcome.text("before") == outcome.text("after")
    assert outcome.text("active") == "active\n"
    assert "9.9.9" in outcome.text("said") and "does not start" in outcome.text("said")


def test_an_update_takes_over_and_can_be_taken_back(rig):
    outcome = rig.run(
        f"""
        {INSTALL}
        {stand_in("none")}
        systemctl show --property MainPID coinsorter >rig-out/old-pid
        {NEXT}
        {INSTALL}
        coinsorter --version >rig-out/updated
        systemctl show --property MainPID coinsorter >rig-out/new-pid
        make rollback
        coinsorter --version >rig-out/back
        systemctl is-active coinsorter >rig-out/active
        """
    )
    assert outcome.status == 0, outcome.printed
    assert outcome.text("updated") == "coinsorter 9.9.9\n"
    assert outcome.text("back") != "coinsorter 9.9.9\n"
    assert outcome.text("old-pid") != outcome.text("new-pid")
    assert outcome.text("active") == "active\n"


def test_a_technicians_settings_stay_and_newer_ones_lie_beside_them(rig):
    outcome = rig.run(
        f"""
        {INSTALL}
        sed -i 's/speed_mm_s: 250 /speed_mm_s: 251 /' /etc/coinsorter/config.yaml
        {INSTALL}
        ls /etc/coinsorter >rig-out/after-their-own-change
        sed -i 's/speed_mm_s: 250 /speed_mm_s: 249 /' config.yaml
        {INSTALL}
        cd /etc/coinsorter
        grep -h --only-matching 'speed_mm_s: [0-9]*' config.yaml config.yaml.new >~-/rig-out/speeds
        """
    )
    assert outcome.status == 0, outcome.printed
    assert outcome.text("after-their-own-change") == "config.yaml\n"
    assert outcome.text("speeds") == "speed_mm_s: 251\nspeed_mm_s: 249\n"


@only_in_full
def test_a_build_that_was_interrupted_is_begun_again(rig):
    outcome = rig.run(
        f"""
        ! {INSTALL.replace("/opt/wheels", "/nowhere")} 2>rig-out/said
        ls /opt/coinsorter >rig-out/failed
        mkdir elsewhere && mv /opt/wheels/opencv* elsewhere/
        ! {INSTALL} 2>/dev/null
        mv elsewhere/* /opt/wheels/
        {INSTALL}
        coinsorter check /etc/coinsorter/config.yaml
        ls /opt/coinsorter/releases >rig-out/releases
        """
    )
    assert outcome.status == 0, outcome.printed
    assert outcome.text("failed") == "releases\n"
    assert len(outcome.text("releases").splitlines()) == 1
    assert "pip could not install coinsorter; check the network" in outcome.text("said")


@only_in_full
def test_what_the_servos_driver_needs_is_added_when_it_was_changed_and_only_then(rig):
    outcome = rig.run(
        f"""
        {INSTALL}
        readlink -f /opt/coinsorter/current >rig-out/first
        {settings_for("hardware-pwm", 12, 13)}
        {INSTALL} >rig-out/added
        {SNAPSHOT}/changed.json
        export PYTHONDONTWRITEBYTECODE=1
        /opt/coinsorter/current/venv/bin/python -c 'import rpi_hardware_pwm'
        readlink -f /opt/coinsorter/current >rig-out/second
        {INSTALL} >rig-out/again
        {SNAPSHOT}/again.json
        {NEXT}
        {INSTALL}
        /opt/coinsorter/current/venv/bin/python -c 'import rpi_hardware_pwm'
        coinsorter --version >rig-out/updated
        """
    )
    assert outcome.status == 0, outcome.printed
    assert "adding what servo.driver hardware-pwm needs: rpi-hardware-pwm" in outcome.text(
        "added"
    ) and "adding" not in outcome.text("again")
    assert outcome.text("first") == outcome.text("second")
    assert differences(outcome.json("changed.json"), outcome.json("again.json")) == set()
    assert outcome.text("updated") == "coinsorter 9.9.9\n"


def test_settings_that_are_there_already_bring_their_drivers_packages_at_the_first_installation(
    rig,
):
    outcome = rig.run(
        f"""
        mkdir /etc/coinsorter
        sed 's|models/crowns|/opt/coinsorter/current/models/crowns|' config.yaml \
            >/etc/coinsorter/config.yaml
        {settings_for("hardware-pwm", 12)}
        {INSTALL}
        coinsorter doctor --self-test --config /etc/coinsorter/config.yaml >rig-out/doctor
        """
    )
    assert outcome.status == 0, outcome.printed
    assert "all that servo.driver hardware-pwm needs" in outcome.text("doctor")


@only_in_full
def test_a_driver_whose_packages_cannot_be_had_is_named_and_the_release_in_use_stays(rig):
    outcome = rig.run(
        f"""
        {INSTALL}
        {settings_for("pca9685", 0, 15)}
        {SNAPSHOT}/before.json
        ! {INSTALL} 2>rig-out/said
        {SNAPSHOT}/after.json
        ! coinsorter doctor --self-test --config /etc/coinsorter/config.yaml >rig-out/doctor
        readlink -f /opt/coinsorter/current >rig-out/current
        {NEXT}
        ! {INSTALL} 2>rig-out/said-by-update
        readlink -f /opt/coinsorter/current >rig-out/still
        """
    )
    assert outcome.status == 0, outcome.printed
    for name in ("said", "said-by-update"):
        (line,) = [
            line for line in outcome.text(name).splitlines() if line.startswith("make install: ")
        ]
        assert (
            "servo.driver pca9685 needs (adafruit-circuitpython-pca9685" in line
            and "stays in use; check the network" in line
        )
    assert differences(outcome.json("before.json"), outcome.json("after.json")) == set()
    assert "run `sudo make install` again" in outcome.text("doctor") and outcome.text(
        "current"
    ) == outcome.text("still")


needs_dtc = pytest.mark.skipif(
    shutil.which("dtc") is None, reason="dtc is not installed; it comes with device-tree-compiler"
)


@needs_dtc
def test_the_firmware_learns_of_the_machines_pins_and_forgets_them(rig):
    outcome = rig.run(
        f"""
        mkdir -p /boot/firmware/overlays
        printf 'arm_boost=1\\n[cm4]\\notg_mode=1' >/boot/firmware/config.txt
        cp /boot/firmware/config.txt rig-out/before.txt
        {INSTALL}
        cp /boot/firmware/config.txt rig-out/installed.txt
        sed -i 's/pin: 26,/pin: 27,/' /etc/coinsorter/config.yaml
        {INSTALL}
        cp /boot/firmware/config.txt rig-out/changed.txt
        dtc -I dtb -O dts /boot/firmware/overlays/coinsorter.dtbo >rig-out/overlay.dts
        make uninstall
        cp /boot/firmware/config.txt rig-out/after.txt
        find /boot/firmware -type f >rig-out/files
        """
    )
    assert outcome.status == 0, outcome.printed
    installed, changed = outcome.text("installed.txt"), outcome.text("changed.txt")
    start = (
        outcome.text("before.txt")
        + "\n# coinsorter begin: made by make install from /etc/coinsorter/config.yaml\n[all]\n"
    )
    assert (
        installed.startswith(start)
        and "\ngpio=26=op,dl,pd\n" in installed
        and "27" not in installed
    )
    assert changed == installed.replace("gpio=26=", "gpio=27=") and changed.endswith(
        "\ndtoverlay=coinsorter\n# coinsorter end\n"
    )
    assert "0x1b" in outcome.text("overlay.dts") and "0x1a" not in outcome.text("overlay.dts")
    assert outcome.text("after.txt") == outcome.text("before.txt")
    assert outcome.text("files") == "/boot/firmware/config.txt\n"


@needs_dtc
def test_a_mark_that_is_amiss_in_config_txt_keeps_all_as_it_is(rig):
    outcome = rig.run(
        f"""
        mkdir -p /boot/firmware/overlays
        printf 'arm_boost=1\\n# coinsorter begin\\n[all]\\n' >/boot/firmware/config.txt
        {SNAPSHOT}/before.json
        ! {INSTALL} 2>rig-out/said
        {SNAPSHOT}/after.json
        ! make uninstall 2>rig-out/said-by-uninstall
        {SNAPSHOT}/last.json
        """
    )
    assert outcome.status == 0, outcome.printed
    for name in ("said", "said-by-uninstall"):
        (line,) = [
            line
            for line in outcome.text(name).splitlines()
            if "/boot/firmware/config.txt: `# coinsorter begin" in line
        ]
        assert line.startswith("make ") and "nothing was changed; delete what is left" in line
    assert outcome.json("before.json") == outcome.json("after.json") == outcome.json("last.json")


def test_only_root_may_install(rig):
    outcome = rig.run(
        f"""
        chmod a+rx /root && ! runuser -u nobody -- {INSTALL} 2>rig-out/said
        test ! -e /opt/coinsorter
        """
    )
    assert outcome.status == 0, outcome.printed
    assert outcome.text("said").startswith(
        "make install: only root may change the system; run `sudo make install`\n"
    )
