"""The catalogue, and that what is published is what it says."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

from prometheus_client.parser import text_string_to_metric_families

from pgha_exporter import names
from pgha_exporter.names import METRICS, Metric
from pgha_exporter.samples import Samples


def test_every_metric_of_every_file_is_in_the_catalogue_once() -> None:
    files = [
        import_module(f"{names.__name__}.{file.name}") for file in iter_modules(names.__path__)
    ]
    declared = [
        value.name for file in files for value in vars(file).values() if isinstance(value, Metric)
    ]
    assert sorted(declared) == sorted(METRICS)


def test_names_and_units_follow_the_conventions_of_prometheus() -> None:
    for name, metric in METRICS.items():
        assert re.fullmatch(r"pgha(_[a-z0-9]+)+", name), name
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert name.endswith("_info") == (metric.kind == "info"), name
        assert metric.help.endswith("."), name
        assert "timestamp" not in name or metric.unit == "seconds", name


def test_labels_are_never_what_a_scraper_sets_itself() -> None:
    reserved = {"instance", "job", "cluster", "service", "type", "env", "zone", "le"}
    for metric in METRICS.values():
        assert not reserved & set(metric.all_labels), metric.name
        assert set(metric.values) <= set(metric.labels), metric.name


def test_a_state_set_knows_its_states() -> None:
    for metric in METRICS.values():
        if metric.kind == "stateset":
            assert metric.values[metric.labels[-1]]


def test_a_histogram_is_asked_for_by_three_names() -> None:
    assert names.series_names(names.ETCD_REQUEST_DURATION) == (
        "pgha_etcd_request_duration_seconds_bucket",
        "pgha_etcd_request_duration_seconds_sum",
        "pgha_etcd_request_duration_seconds_count",
    )
    assert names.series_names(names.ROLE) == ("pgha_role",)


def exposition(samples: Samples) -> str:
    from prometheus_client.exposition import generate_latest

    class Registry:
        def collect(self) -> object:
            return samples.families()

    return generate_latest(Registry()).decode()  # type: ignore[arg-type]


def one_of_everything() -> Samples:
    samples = Samples("main")
    for metric in METRICS.values():
        _add(samples, metric, [f"a {label}" for label in metric.labels])
    return samples


def _add(samples: Samples, metric: Metric, labels: list[str]) -> None:
    if metric.kind == "info":
        samples.info(metric, *labels)
    elif metric.kind == "stateset":
        samples.state(metric, metric.values[metric.labels[-1]][0], *labels[:-1])
    elif metric.kind == "histogram":
        samples.histogram(metric, [("1.0", 1.0), ("+Inf", 2.0)], 3.0, *labels)
    else:
        samples.add(metric, 1, *labels)


def test_every_metric_appears_under_its_name_with_its_labels() -> None:
    found = {}
    for family in text_string_to_metric_families(exposition(one_of_everything())):
        for sample in family.samples:
            found[sample.name] = set(sample.labels) - {"le"}
    for metric in METRICS.values():
        for name in names.series_names(metric):
            assert found.pop(name) == set(metric.all_labels), name
    assert found == {}


def test_wrong_labels_are_refused() -> None:
    import pytest

    with pytest.raises(ValueError, match="pgha_role has the labels"):
        Samples("main").add(names.ROLE, 1, "only one")


def test_unknown_values_make_no_sample() -> None:
    samples = Samples("main")
    samples.add(names.POSTGRES_TIMELINE, None, "a")
    samples.add(names.POSTGRES_TIMELINE, float("nan"), "a")
    samples.state(names.ROLE, "nobody knows", "a")
    assert exposition(samples) == "" or "pgha_" not in exposition(samples)
