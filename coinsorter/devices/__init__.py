"""What touches the world: the camera, the flaps' servos, the clock."""
