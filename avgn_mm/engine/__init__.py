"""What MMEngine lacks for training and testing."""
