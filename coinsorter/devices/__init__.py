"""What touches the world: the camera, the flaps' servos, sensors and panel, the clock."""
