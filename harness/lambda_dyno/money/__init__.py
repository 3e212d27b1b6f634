"""Money: what a function costs at one's own traffic, and what a change of its memory saves.

`rates` has the prices, `bill` an invocation's, `run_cost` what a run itself costs, `words` all
sentences about money.
"""
