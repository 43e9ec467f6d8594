"""Everything that can go wrong, one class each; messages say what, where and what to do.

`exit_code` follows sysexits.h, so that systemd and shell scripts can distinguish a mistake of a
person (78) from a fault of a device.
"""


class CoinsorterError(Exception):
    """Something the machine or its technician has to deal with; the base of all below."""

    exit_code = 1


class ConfigError(CoinsorterError):
    """config.yaml holds mistakes; every one of them is in the message, a line each."""

    exit_code = 78


class BundleError(CoinsorterError):
    """A model bundle is missing, damaged or gives wrong answers, and is not used."""

    exit_code = 78


class InputError(CoinsorterError):
    """A file or folder named on the command line cannot be used."""

    exit_code = 66


class ImageError(InputError):
    """An image file is not read; the message says why, and its reader says which."""


class FrameError(CoinsorterError):
    """A frame has not the size or type that the camera was set to deliver."""

    exit_code = 65


class CameraError(CoinsorterError):
    """The camera cannot be opened or has stopped delivering frames."""

    exit_code = 69


class FlapError(CoinsorterError):
    """A flap's pin cannot be opened or driven."""

    exit_code = 69


class LedgerError(CoinsorterError):
    """The ledger cannot be written, so no coin may be accepted."""

    exit_code = 74


class LedgerInUseError(LedgerError):
    """Another process writes the ledger; it is named in the message."""

    exit_code = 75


class MachineInUseError(CoinsorterError):
    """Another process moves the machine's flaps or takes its camera; it is named in the message."""

    exit_code = 75


class LedgerUnavailableError(LedgerError):
    """The ledger cannot be written for now; whoever holds the rows may try again."""


class LedgerLockedError(LedgerUnavailableError):
    """Another program has locked the ledger and will let go of it."""


class ExportError(CoinsorterError):
    """A network lost too much on its way to int8, and no bundle was written."""

    exit_code = 70


class WorkerError(CoinsorterError):
    """Processes that share the work are killed again and again before it is done."""

    exit_code = 71
