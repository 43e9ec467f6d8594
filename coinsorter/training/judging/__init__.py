"""How good a bundle is, and what coins look like in figures: reports."""
