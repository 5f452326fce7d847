"""What a course needs beside the notebooks: attacks that must fail, exercises with a check."""

from imslab.course.refuses import refuses

__all__ = ["refuses"]
