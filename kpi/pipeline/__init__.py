"""Open deals: what they are worth, weighted; coverage, slippage and what changed."""
