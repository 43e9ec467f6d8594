"""What touches the world: camera, servos, flaps, panel, clock and systemd."""
