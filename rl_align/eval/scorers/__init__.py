"""What is read out of an answer, one idea a file: refusal, judgements, a letter, a value; and the scorer that records it all."""
