"""A whole machine without one: an invented currency, a belt, a virtual camera and mock pins."""
