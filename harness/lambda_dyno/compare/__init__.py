"""What is measured held against what was: a baseline in turns, a former run, a prediction."""
