"""Where other tools' files declare a function's memory size, and the same file with another one."""
