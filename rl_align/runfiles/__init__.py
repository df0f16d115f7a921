"""Files of a run folder that survive being killed: atomic writes, manifests, the ledger, the engine lock. A leaf."""
