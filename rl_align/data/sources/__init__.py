"""One file per dataset: each reads a local copy of the official files and yields items or drops with a reason."""
