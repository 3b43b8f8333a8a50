"""What makes pictures: the compositor on any machine, diffusion models where weights are at hand."""
