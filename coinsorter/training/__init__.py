"""Desktop only: images of coins -> a model bundle. Nothing on the machine imports this."""
