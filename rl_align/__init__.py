"""rl_align: safety reasoning for vision-language models, trained with GRPO on verl, Ray and vLLM."""
