"""The Lambda meter: runs inside the Lambda workers of the embedded AWS.

Only the standard library, and little of it: every import here is paid by every cold start.
"""
