"""Defences as Inspect solvers, one a file: any of them before any task and any target.

    inspect eval rl_align/<task> --solver rl_align/<defence> -S name=value --model … --model-role guard=…

A defence reads the sample's messages and nothing else of it: never its target, never its metadata. It ends with the answer in
`state.output`, the conversation that led to it in `state.messages`, and its own record in the sample's store under `defence`
(`ledger.py` says what is in it, `costs.py` sums it up).
"""
