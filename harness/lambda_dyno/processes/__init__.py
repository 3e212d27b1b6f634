"""Programs on this machine: started, ended in order, found again when their owner died."""
