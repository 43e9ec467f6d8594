"""Desktop only: pictures of coins -> a model bundle that the machine loads. Nothing on the Pi imports this."""
