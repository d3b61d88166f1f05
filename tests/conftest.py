"""What all tests share: quiet logs of TensorFlow, and Hypothesis without deadlines, repeatable where CI is set."""

import os

from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

settings.register_profile("tfgen", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("tfgen")

# Scripts that tests run in processes of their own: importing them, as doctests do, would hide tfgen from all tests.
collect_ignore = ["tensorflow_alone.py", "fixtures"]
