"""What is encoded again, and that the text is prometheus_client's own."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.exposition import choose_encoder

from pgha_exporter import names
from pgha_exporter.rendering import Rendering
from pgha_exporter.samples import Samples

OPEN_METRICS = "application/openmetrics-text;version=1.0.0"


def samples(lag: float, cause: str = "failover") -> Samples:
    found = Samples("main")
    found.add(names.POSTGRES_UP, True, "a")
    found.add(names.MEMBER_LAG_SECONDS, lag, "a")
    found.add(names.LEADER_CHANGES, 2, cause)
    found.info(names.BUILD_INFO, "0.1.0", "3.13")
    found.histogram(names.ETCD_REQUEST_DURATION, [("0.1", 1.0), ("+Inf", 2.0)], 3.5, "status")
    return found


class Registry:
    def __init__(self, families: Any) -> None:
        self.collect = lambda: families


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_the_text_is_what_the_encoder_makes_of_all_families(accept: str) -> None:
    encode, content_type = choose_encoder(accept)
    rendering = Rendering()
    for lag in (1.0, 1.0, 2.5, 1.0):
        found = samples(lag)
        expected = encode(Registry(list(found.families())))
        assert rendering.text(encode, content_type, found.rows()) == expected


def test_only_what_changed_is_encoded_again() -> None:
    encode, content_type = choose_encoder("")
    encoded: list[str] = []

    def watched(registry: Any) -> bytes:
        families = list(registry.collect())
        encoded.extend(family.name for family in families)
        return encode(Registry(families))

    rendering = Rendering()
    rendering.text(watched, content_type, samples(1.0).rows())
    assert len(encoded) == 5
    encoded.clear()
    rendering.text(watched, content_type, samples(2.0, "switchover").rows())
    assert encoded == ["pgha_member_lag_seconds", "pgha_leader_changes"]


def test_formats_are_kept_apart() -> None:
    rendering = Rendering()
    texts = {
        accept: rendering.text(*choose_encoder(accept), samples(1.0).rows())
        for accept in ("", OPEN_METRICS)
    }
    assert texts[OPEN_METRICS].endswith(b"# EOF\n")
    assert b"# EOF" not in texts[""]
