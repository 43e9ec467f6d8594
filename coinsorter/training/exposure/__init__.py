"""What a gate is shown beside genuine coins: near-coins, simulated objects, foreign photographs."""
