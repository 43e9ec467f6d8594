"""Who makes the servos' pulses: one driver a module, all behind one interface."""
