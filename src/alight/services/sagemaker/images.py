"""Image URIs of containers: which of SageMaker's families one is. Nothing runs them; the package's contents decide what
serves it, and the family says what to expect of it where nothing does.
"""

from __future__ import annotations

import re

_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[\w.-]+))?(?:@sha256:[0-9a-f]{64})?"
)
#: Words of repository names, the more telling first, and what the family's packages hold.
_FAMILIES = (
    ("huggingface", "a Hugging Face model"),
    ("djl-", "a model of the Deep Java Library"),
    ("triton", "a Triton repository"),
    ("xgboost", "xgboost-model"),
    ("scikit-learn", "a pickled scikit-learn estimator and code/"),
    ("sklearn", "a pickled scikit-learn estimator and code/"),
    ("tensorflow", "a TensorFlow SavedModel"),
    ("pytorch", "a PyTorch model and code/"),
    ("mxnet", "MXNet's symbol and parameters"),
    ("image-classification", "MXNet's symbol and parameters"),
    ("object-detection", "MXNet's symbol and parameters"),
    ("semantic-segmentation", "MXNet's symbol and parameters"),
    ("blazingtext", "a fastText model"),
    *(
        (word, "model_algo-1")
        for word in (
            "linear-learner", "kmeans", "knn", "pca", "ntm", "lda", "seq2seq", "object2vec", "ipinsights",
            "factorization-machines", "randomcutforest", "forecasting-deepar",
        )
    ),
)  # fmt: skip


def expectation(image: str) -> str:
    """One sentence about the image for people whose package cannot be served; empty where it says nothing."""
    found = _URI.fullmatch(image)
    if found is None:
        return ""
    repository = found["repository"]
    for word, holds in _FAMILIES:
        if word in repository:
            return f"Packages for {repository} hold {holds}."
    return f"The image {repository} is not run here; a package is served by what it holds."
