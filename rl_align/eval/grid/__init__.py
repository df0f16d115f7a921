"""The matrix: models × defences × benchmarks × seeds over OpenAI-compatible endpoints, with Inspect; resumable answer by answer."""
