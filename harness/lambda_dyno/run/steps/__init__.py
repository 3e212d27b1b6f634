"""The steps of a run, a module each: `step(run)` takes what was found before, and adds its own."""
