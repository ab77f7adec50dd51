"""What can go wrong with a source, in the words of ``pgha_source_errors_total``.

ExporterError
├── SettingsError   the configuration cannot be used; holds every problem found
└── SourceError     a source did not give its answer; ``reason`` says why
    └── GatewayError   etcd's HTTP gateway is off, or does not serve this client; gRPC may
"""

from __future__ import annotations

from collections.abc import Sequence


class ExporterError(Exception):
    """Base of every error that the exporter raises on purpose."""


class SettingsError(ExporterError):
    """The configuration is wrong.

    Args:
        problems: one sentence per problem, all that were found.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class SourceError(ExporterError):
    """A source did not answer, or not with its answer.

    Args:
        reason: one of `pgha_exporter.names.ERROR_REASONS`.
        text: what happened, for the log; never a secret.
    """

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class GatewayError(SourceError):
    """etcd cannot be asked over HTTP here."""

    def __init__(self, text: str) -> None:
        super().__init__("protocol", text)
