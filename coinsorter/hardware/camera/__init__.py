"""Where frames come from: the Pi's camera, a USB camera, or a folder of images."""
