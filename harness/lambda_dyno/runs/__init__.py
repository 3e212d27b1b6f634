"""What a run has on this machine: its folder, lease and result, the commit, and its programs.

Programs are started, ended in order, and found again when their owner died.
"""
