"""What all stages know: configuration models, the plan, BIDS names, the design of the trial."""
