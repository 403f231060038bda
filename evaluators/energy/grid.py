"""Grid intensity: grams of CO2e per kWh, from the catalogue or codecarbon's own offline tables. Never online."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True, slots=True)
class Grid:
    """The assumed electricity, and the source of the assumption."""

    country_iso_code: str
    region: str | None
    intensity_g_per_kwh: float
    source: str


def grid(country_iso_code: str, region: str | None, stated_g_per_kwh: float | None) -> Grid:
    """The grid of a country or, where codecarbon has a table for it, of a region in it.

    Raises ValueError for a country or region that codecarbon does not know, unless the intensity is stated.
    """
    if stated_g_per_kwh is not None:
        return Grid(country_iso_code, region, stated_g_per_kwh, "catalogue.yml")
    from codecarbon.core.emissions import Emissions
    from codecarbon.core.units import Energy
    from codecarbon.external.geography import GeoMetadata
    from codecarbon.input import DataSource

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # what it logs, we raise
    data = DataSource()
    countries = data.get_global_energy_mix_data()
    if country_iso_code not in countries:
        raise ValueError(
            f"settings.country_iso_code: {country_iso_code!r} is not in codecarbon's tables; use a three-letter ISO "
            "code, or set settings.grid_intensity_g_per_kwh"
        )
    name = countries[country_iso_code]["country_name"]
    emissions = Emissions(data)

    def g_per_kwh(of_region: str | None) -> float:
        geo = GeoMetadata(country_iso_code=country_iso_code, country_name=name, region=of_region)
        return float(emissions.get_private_infra_emissions(Energy.from_energy(kWh=1.0), geo) * 1000)

    intensity = g_per_kwh(region)
    # For an unknown region codecarbon returns the country's figure, and says so only in its log.
    if region is not None and intensity == g_per_kwh(None):
        raise ValueError(
            f"settings.region: codecarbon has no intensity for {region!r} in {name}; remove the region, or set "
            "settings.grid_intensity_g_per_kwh"
        )
    return Grid(country_iso_code, region, intensity, f"codecarbon {version('codecarbon')}, {region or name}")


def country_name(country_iso_code: str) -> str | None:
    """The country's name in codecarbon's tables; None where they lack it."""
    from codecarbon.input import DataSource

    country = DataSource().get_global_energy_mix_data().get(country_iso_code)
    return None if country is None else str(country["country_name"])
