"""The grammar of both seats: rendering for supervised training; parsing for rewards, evaluation and the guard."""
