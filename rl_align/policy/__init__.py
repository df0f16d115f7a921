"""Safety policies: the catalogue and the citations of it that a text makes."""
