"""The Lambda handlers, a module per state: parse, call the core, serialise.

Every state gets `{"execution": ARN, "input": the execution's input, "retries": number}`, and
`"state"`, what the state before put out. CleanUp also comes after an error (`"failure"`
instead of a state) and by a rule (an event that names the execution).

One module per state keeps the start of an environment short: Analyze needs no AWS client.
"""
