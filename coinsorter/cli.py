"""Every command; the one file that chooses parts."""

import argparse
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from coinsorter import __version__, assembly, bundle, config, ledger, runtime
from coinsorter.bundle import Bundle
from coinsorter.classify import Classifier
from coinsorter.config import Config
from coinsorter.errors import BundleError, CoinsorterError, ConfigError, InputError, LedgerError

log = logging.getLogger(__name__)

DESCRIPTION = "A headless machine that sorts coins by proof and accounts for each of them."
EPILOG = """\
first steps:
  coinsorter run --simulate       watch a simulated machine sort 300 things
  coinsorter check                find every mistake in config.yaml
  coinsorter calibrate view DIR   measure the camera's scale with coins of known size
  coinsorter replay FOLDER        try the recognition on pictures of coins
  coinsorter run                  sort on the real machine
  coinsorter ledger totals        what has been sorted so far

exit status:
  0 done    1 a simulated run went wrong    2 wrong usage    65 bad frames    66 unusable input files
  69 camera or pins cannot be used    74 the ledger cannot be written    78 a mistake in config.yaml or in a bundle
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        return int(options.command(options) or 0)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except CoinsorterError as error:
        print(f"coinsorter: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except _Terminated:
        return 143
    except BrokenPipeError:  # `coinsorter ledger export | head`
        sys.stderr.close()
        return 0


class _Terminated(BaseException):
    """SIGTERM, as an exception, so that what was begun is ended properly."""


def _terminated(*_: object) -> None:
    raise _Terminated


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("coinsorter", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"coinsorter {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_replay(commands)
    _add_check(commands)
    _add_bench(commands)
    _add_calibrate(commands)
    _add_ledger(commands)
    return parser


def _add_command(commands: Any, name: str, command: Any, summary: str, details: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}. {details}")
    parser.set_defaults(command=command)
    parser.add_argument("-v", "--verbose", action="store_true", help="log a line for every coin, to standard error")
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE", help="the machine's settings (default: config.yaml)")


def _add_bundle(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--bundle", type=Path, metavar="DIR", help=f"{what} (default: the one in config.yaml)")


def _add_json(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON, for programs")


# -- run ------------------------------------------------------------------------------------------------------------------------------


def _add_run(commands: Any) -> None:
    details = (
        "On the real machine it sorts until it is stopped (Ctrl-C or SIGTERM); flaps go to rest first and last. With --simulate the same "
        "program runs between a virtual camera and mock pins, on coins of an invented currency, and is judged by where each thing really "
        "landed; it exits with 1 if a coin went wrong or the ledger does not match."
    )
    parser = _add_command(commands, "run", _run, "sort coins", details)
    _add_config(parser)
    parser.add_argument("--note", default="", help="a line for the ledger, such as who started the batch")
    parser.add_argument("--simulate", action="store_true", help="run the simulated machine instead of the real one")
    parser.add_argument("--coins", type=_count, default=300, metavar="N", help="simulated: number of things on the belt (default: 300)")
    parser.add_argument("--seed", type=_seed, default=1, metavar="S", help="simulated: the same seed makes the same run (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="simulated: folder for ledger and contact sheet (default: demo)")
    _add_json(parser, "the result of a simulated run")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100000")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    settings = config.load(options.config)
    models = _bundle(settings, options.config)
    return _simulate(options, settings, models) if options.simulate else _sort(options, settings, models)


def _bundle(settings: Config, config_path: Path) -> Bundle:
    """The bundle that config.yaml names. Raises ConfigError where bins ask for labels that it has not."""
    models = bundle.load(config_path.parent / settings.runtime.bundle)
    _, mistakes = config.read(config_path, models.labels)
    if mistakes:
        raise ConfigError("\n".join(config.render(config_path, mistakes)))
    return models


def _simulate(options: argparse.Namespace, settings: Config, models: Bundle) -> int:
    from coinsorter.simulator import report
    from coinsorter.simulator.machine import SimulatedMachine

    picture, book = options.out / "contact-sheet.png", options.out / "ledger.db"
    _remove_ledger(book)  # every simulated run starts one of its own
    interpreter = runtime.pick(settings.runtime.interpreter)
    simulated = SimulatedMachine(settings, models, book, options.coins, options.seed, interpreter)
    simulated.machine.classifier.self_test()
    sheet = report.ContactSheet(f"the last things of a simulated run, seed {options.seed}, as they passed")
    with closing(simulated.machine), _progress("sorting", options.coins, options.json) as advance:
        truth = simulated.run(advance, sheet)
    written = sheet.write(picture)
    if options.json:
        print(json.dumps(asdict(truth)))
    else:
        report.show(truth, settings.reject_bin, Console(), picture if written else None, book, interpreter)
    failed = truth.wrong or truth.foreign_accepted or not truth.ledger_matches or truth.fault
    return 1 if failed else 0


def _remove_ledger(path: Path) -> None:
    try:
        for part in ("", "-wal", "-shm"):
            path.with_name(path.name + part).unlink(missing_ok=True)
    except OSError as error:
        raise LedgerError(f"ledger {path}: the old one cannot be removed: {error.strerror}; name another folder with --out") from error


def _sort(options: argparse.Namespace, settings: Config, models: Bundle) -> int:
    from coinsorter.devices.camera import open_camera
    from coinsorter.devices.clock import MonotonicClock
    from coinsorter.devices.flaps import Flaps
    from coinsorter.devices.servos import open_servos

    interpreter = runtime.pick(settings.runtime.interpreter)
    log.info("bundle %s, %s %s", models.path, interpreter, runtime.version(interpreter))
    facts = ledger.RunFacts(str(models.path), models.digest, interpreter, options.note)
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with ExitStack() as parts:
        flaps = Flaps(settings, open_servos(settings))
        parts.callback(flaps.close)
        flaps.park()
        book = ledger.BackgroundLedger(lambda: ledger.Ledger(options.config.parent / settings.ledger.path, facts))
        parts.callback(book.close)
        camera = open_camera(settings.camera, options.config.parent)
        parts.callback(camera.close)
        machine = assembly.machine(settings, models, interpreter, camera, flaps, book, MonotonicClock())
        parts.callback(machine.close)  # the flaps first
        machine.classifier.self_test()
        machine.start()
        while not stopped and machine.step():
            pass
    if machine.failure:
        raise machine.failure
    return 0


# -- replay ---------------------------------------------------------------------------------------------------------------------------


def _add_replay(commands: Any) -> None:
    details = (
        "Each picture shows one coin; the name of the folder it lies in is its label, and folders whose names the bundle does not know "
        "are foreign: right when rejected. Pictures are taken in the order of the last number in their names. With --belt the pictures "
        "are a recording of the moving belt, and the whole machine runs on them with mock pins."
    )
    parser = _add_command(commands, "replay", _replay, "run the recognition on pictures instead of the camera", details)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="pictures, in folders named as their labels")
    _add_bundle(parser, "the model bundle")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings: view scale, acceptance, runtime (default: the bundle's own)")
    parser.add_argument("--interpreter", choices=["auto", runtime.LITERT, runtime.TFLITE_RUNTIME], help="which runtime to use")
    parser.add_argument("--no-follow", action="store_true", help="keep the view's scale as it is; do not follow its drift")
    parser.add_argument("--belt", action="store_true", help="the pictures are frames of the moving belt, one after the other")
    parser.add_argument("--events", type=Path, metavar="FILE", help="write one JSON line per picture (with --belt: per coin)")
    _add_json(parser, "the result")


def _replay(options: argparse.Namespace) -> int:
    from coinsorter import replay
    from coinsorter.devices.camera import picture_paths

    config_path = options.config or Path("config.yaml")
    settings = config.load(config_path) if options.config or options.belt or not options.bundle else None
    models = bundle.load(options.bundle or config_path.parent / settings.runtime.bundle)  # type: ignore[union-attr]
    paths = picture_paths(options.folder)
    chosen = settings.runtime if settings else config.Runtime()
    interpreter = runtime.pick(options.interpreter or chosen.interpreter)
    if options.belt:
        result, events = _replay_belt(settings, models, interpreter, paths)  # type: ignore[arg-type]
    else:
        cv2.setNumThreads(chosen.threads)
        classifier = Classifier(models, interpreter, chosen.threads, chosen.turns_per_crop)
        classifier.self_test()
        pipeline = replay.Replay(models, classifier, settings, not options.no_follow)
        with _progress("replaying", len(paths), options.json) as advance:
            results, unreadable = pipeline.pictures(paths, options.folder, advance)
        if not results:
            raise InputError(f"{options.folder}: none of its {len(paths)} pictures can be read")
        result = replay.summary(results, models, unreadable)
        events = [replay.event(r) for r in results]
    if options.events:
        _write_lines(options.events, events)
    if options.json:
        print(json.dumps({**result, "runtime": interpreter}))
    elif options.belt:
        _show_totals(result)
    else:
        replay.show(result, Console())
    return 0


def _replay_belt(settings: Config, models: Bundle, interpreter: str, paths: list[Path]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from coinsorter import replay

    with tempfile.TemporaryDirectory(prefix="coinsorter-replay-") as folder:
        return replay.belt(settings, models, interpreter, paths, Path(folder) / "ledger.db")


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """JSON lines, the whole file or none."""
    with _whole_file(path, "--events") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@contextmanager
def _whole_file(path: Path, option: str) -> Iterator[TextIO]:
    """A file to write to that is there under its name only once it is complete; what is no plain file (a device) is written to as it is.

    Raises InputError naming the option that named it.
    """
    plain, path = not path.exists() or path.is_file(), path.resolve()
    partial = Path(f"{path}.part") if plain else path
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        if plain:
            partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}; name another file with {option}") from error
    finally:
        if plain:
            partial.unlink(missing_ok=True)


# -- check ----------------------------------------------------------------------------------------------------------------------------


def _add_check(commands: Any) -> None:
    details = "Prints each as `config.yaml:14: bins[2].flap.open_deg: 220 is above 180` and exits with 78 if there is any."
    parser = _add_command(commands, "check", _check, "find every mistake in config.yaml", details)
    parser.add_argument("config", type=Path, nargs="?", default=Path("config.yaml"), metavar="CONFIG", help="default: config.yaml")
    _add_json(parser, "the mistakes")


def _check(options: argparse.Namespace) -> int:
    settings, mistakes = config.read(options.config)
    if settings:
        try:
            models = bundle.load(options.config.parent / settings.runtime.bundle)
            mistakes = config.read(options.config, models.labels)[1]
        except BundleError as error:
            mistakes = [*mistakes, config.mistake_in(options.config, ("runtime", "bundle"), str(error))]
    if options.json:
        print(json.dumps([asdict(mistake) for mistake in mistakes]))
    elif mistakes:
        print("\n".join(config.render(options.config, mistakes)))
    else:
        print(f"{options.config}: no mistakes")
    return ConfigError.exit_code if mistakes else 0


# -- bench ----------------------------------------------------------------------------------------------------------------------------


def _add_bench(commands: Any) -> None:
    details = (
        "Times every stage on one core with simulated pictures, one picture a coin, and compares the whole with the bare kernels: the "
        "same OpenCV calls and interpreter invocations in an empty loop. Nothing is sorted and no pin moves."
    )
    parser = _add_command(commands, "bench", _bench, "measure how fast this computer sorts", details)
    _add_bundle(parser, "the model bundle")
    _add_config(parser)
    parser.add_argument("--interpreter", choices=["auto", runtime.LITERT, runtime.TFLITE_RUNTIME], help="which runtime to use")
    parser.add_argument("--turns", type=int, choices=[1, 2, 4], help="quarter turns of each picture that are judged (default: config.yaml's)")
    _add_json(parser, "the figures")


def _bench(options: argparse.Namespace) -> int:
    from coinsorter import bench

    settings = config.load(options.config).runtime if not options.bundle else config.Runtime()
    models = bundle.load(options.bundle or options.config.parent / settings.bundle)
    figures = bench.run(models, runtime.pick(options.interpreter or settings.interpreter), options.turns or settings.turns_per_crop)
    if options.json:
        print(json.dumps(figures))
    else:
        bench.show(figures, Console())
    return 0


# -- calibrate ------------------------------------------------------------------------------------------------------------------------


def _add_calibrate(commands: Any) -> None:
    what = "Measure the machine's own numbers for config.yaml."
    actions = commands.add_parser("calibrate", help="measure the machine's own numbers", description=what).add_subparsers(
        title="actions", metavar="ACTION", required=True
    )
    details = (
        "Each picture shows one coin and lies in a folder named as its label; a dozen coins or more, all over the view, also near its "
        "corners. Prints what belongs into config.yaml; with --write it is put there, and everything else in the file stays as it is."
    )
    parser = _add_command(actions, "view", _calibrate_view, "the camera's scale plane, from coins of known size", details)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the camera's pictures, in folders named as their labels")
    _add_bundle(parser, "the bundle that knows the coins' diameters")
    parser.add_argument("--px-per-mm", type=_scale, metavar="N", help="about the scale there is, where the camera was moved far (default: config.yaml's)")
    parser.add_argument("--write", action="store_true", help="put the numbers into config.yaml")
    _add_config(parser)
    _add_json(parser, "the result")


def _scale(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.5 <= number <= 50:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0.5 to 50")
    return number


def _calibrate_view(options: argparse.Namespace) -> None:
    from coinsorter import calibrate
    from coinsorter.devices.camera import picture_paths

    settings = config.load(options.config)
    models = bundle.load(options.bundle or options.config.parent / settings.runtime.bundle)
    rough = replace(settings.scale, px_per_mm=options.px_per_mm) if options.px_per_mm else settings.scale
    paths = picture_paths(options.folder)
    with _progress("measuring", len(paths), options.json) as advance:
        found = calibrate.view(paths, models, rough, advance)
    plane = found.plane
    numbers = {
        "px_per_mm": round(plane.px_per_mm, 4), "tilt_along_percent": round(100 * plane.tilt_along, 2),
        "tilt_across_percent": round(100 * plane.tilt_across, 2), "barrel_percent": round(100 * plane.barrel, 2),
    }  # fmt: skip
    if options.write:
        text = config.changed(options.config, {("belt", name): number for name, number in numbers.items()})
        with _whole_file(options.config, "--config") as file:
            file.write(text)
    if options.json:
        left_out = {str(path): why for path, why in found.left_out.items()}
        print(json.dumps({**numbers, "coins": found.coins, "scatter": found.scatter, "known_to": found.known_to, "left_out": left_out, "written": options.write}))
        return
    for path, why in found.left_out.items():
        print(f"left out: {path}: {why}")
    print(f"{found.coins} coins; one diameter is off by {100 * found.scatter:.1f} % (standard deviation), the scale by {100 * found.known_to:.1f} % at most")
    print("belt:\n" + "\n".join(f"  {name}: {number:g}" for name, number in numbers.items()))
    print(f"{options.config}: written" if options.write else f"put these lines into {options.config}, or run this again with --write")


# -- ledger ---------------------------------------------------------------------------------------------------------------------------


def _add_ledger(commands: Any) -> None:
    parser = commands.add_parser("ledger", help="read what has been sorted", description="Read what has been sorted. Never writes.")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    totals = _add_command(actions, "totals", _ledger_totals, "coins seen, by bin, by reason and by value", "")
    tail = _add_command(actions, "tail", _ledger_tail, "the last coins", "")
    tail.add_argument("-n", type=_count, default=20, metavar="N", help="how many (default: 20)")
    export = _add_command(actions, "export", _ledger_export, "every coin's row, to standard output or a file", "")
    export.add_argument("--format", choices=["csv", "jsonl"], default="csv", help="default: csv")
    export.add_argument("--to", type=Path, metavar="FILE", help="default: standard output")
    for action in (totals, tail, export):
        action.add_argument("--ledger", type=Path, metavar="FILE", help="the ledger (default: the one in config.yaml)")
        _add_config(action)
    _add_json(totals, "them")
    _add_json(tail, "them, a line each,")


def _ledger_path(options: argparse.Namespace) -> Path:
    return options.ledger or options.config.parent / config.load(options.config).ledger.path


def _ledger_totals(options: argparse.Namespace) -> None:
    found = ledger.totals(_ledger_path(options))
    if options.json:
        print(json.dumps(found))
    else:
        _show_totals(found)


def _show_totals(found: dict[str, Any]) -> None:
    table = Table("where", "coins")
    for name, count in found["bins"].items():
        table.add_row(name, str(count))
    for reason, count in found["rejected"].items():
        table.add_row(f"  rejected: {reason}", str(count))
    for name in ("uncertain", "open", "seen"):
        table.add_row(name, str(found[name]))
    for currency, amounts in found["value"].items():
        table.add_row(f"value, {currency}", f"{sum(amounts.values()):.2f}")
    Console().print(table)


def _ledger_tail(options: argparse.Namespace) -> None:
    found = ledger.rows(_ledger_path(options), options.n)
    if options.json:
        for row in found:
            print(json.dumps(row))
        return
    table = Table("id", "at", "label", "confidence", "anomaly", "mm", "bin", "reason", "landed")
    for row in found:
        numbers = [f"{row[name]:.{digits}f}" if row[name] is not None else "" for name, digits in (("confidence", 4), ("anomaly", 1), ("diameter_mm", 2))]
        table.add_row(str(row["id"]), row["at"], row["label"], *numbers, row["bin"], row["reason"], row["landed"] or "on its way")
    Console().print(table)


def _ledger_export(options: argparse.Namespace) -> None:
    path = _ledger_path(options)
    if options.to is None:
        ledger.export(path, sys.stdout, options.format)
        return
    with _whole_file(options.to, "--to") as to:
        count = ledger.export(path, to, options.format)
    print(f"{count} rows in {options.to}")


# -- for long work --------------------------------------------------------------------------------------------------------------------


class _progress:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, what: str, total: int, quiet: bool) -> None:
        columns = (TextColumn("[progress.description]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=quiet and not sys.stderr.isatty())
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> Any:
        self._bar.start()
        return lambda done: self._bar.update(self._task, completed=done)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

