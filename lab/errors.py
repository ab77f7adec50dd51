"""What can go wrong with the lab.

::

    LabError            one sentence for the operator: what, which server, what to do next
        NotUpError      the lab, or the server in question, does not run
"""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what was asked; the message says what to do next."""


class NotUpError(LabError):
    """The lab, or the server in question, does not run."""
