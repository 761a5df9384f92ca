"""What is read and what is written: sources, their key ranges, and targets."""
