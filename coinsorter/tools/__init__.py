"""What the commands do, without argparse: doctor, benchmark, replay, capture, calibration."""
