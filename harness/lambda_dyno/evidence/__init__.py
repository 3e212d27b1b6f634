"""The evidence store: a bucket that only grows, with a prefix for each degree of trust.

    ENV/main/rows/v1/TABLE/RECORD_ID.parquet    the files of the history, as they are
    ENV/main/runs/RUN_ID/RECORD_ID/...          what a run leaves for people, and its result
    ENV/pr/N/{rows,runs}/...                    the same of pull request N
    ENV/other/{rows,runs}/...                   of whoever is neither: a laptop, a branch

What is to be added waits in `runs/outbox` until it is there (`outbox`), so nothing is lost when an
upload fails or is killed. Only what is below `main` is ever read for a decision (`pulling`).
"""
