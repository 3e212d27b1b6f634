"""`make bench-gate`: how often are the gates wrong?"""
