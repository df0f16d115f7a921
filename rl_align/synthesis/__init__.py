"""Training rows from models: MSR-Align's pipeline and VLMGuard-R1's, over any endpoint. Every paid answer is kept."""
