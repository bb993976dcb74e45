"""What people write about a study: labels, must-pass examples and corrected golden answers."""
