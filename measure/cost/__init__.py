"""What a network costs, read off its file: parameters, multiply-accumulates, activations."""
