"""Score against energy, from the published Parquet files: a marimo notebook.

    marimo edit examples/notebook.py      to play with it
    python examples/notebook.py           to run it as a script

EVALWATT_HOME is where state is kept (default ./data). The files do not need DuckDB: pandas, Polars and R read them too.
"""

import marimo

app = marimo.App(width="medium")


@app.cell
def imports():
    import os
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo

    return Path, alt, duckdb, mo, os


@app.cell
def published(Path, os):
    parquet = Path(os.environ.get("EVALWATT_HOME") or "data", "published", "current", "parquet")
    if not parquet.is_dir():
        raise SystemExit(f"nothing is published in {parquet}; run `evalwatt run` first")
    return (parquet,)


@app.cell
def models(duckdb, parquet):
    # One row per model: the current ones that were metered here, and the leaderboard's newest state.
    efficiency = duckdb.execute(
        """
        select basis, model_id, family, kind, params_b, score, energy_kwh, energy_method, comparability_key
        from read_parquet(?)
        where is_current and score is not null and energy_kwh > 0
        order by basis, energy_kwh
        """,
        [str(parquet / "mart_model_efficiency.parquet")],
    ).df()
    if efficiency.empty:
        raise SystemExit("no model has both a score and an energy yet; the column energy_reason says why")
    return (efficiency,)


@app.cell
def basis_choice(efficiency, mo):
    # Energies of two bases are never compared, so the chart shows one.
    basis = mo.ui.dropdown(sorted(efficiency["basis"].unique()), value=efficiency["basis"].max(), label="basis")
    basis  # noqa: B018 - marimo shows a cell's last expression
    return (basis,)


@app.cell
def chart(alt, basis, efficiency):
    score_against_energy = (
        alt.Chart(efficiency[efficiency["basis"] == basis.value])
        .mark_circle(opacity=0.6)
        .encode(
            x=alt.X("energy_kwh", scale=alt.Scale(type="log"), title="Energy of the suite (kWh, logarithmic)"),
            y=alt.Y("score", title="Score (0 to 100)"),
            size=alt.Size("params_b", title="Parameters (billions)"),
            color=alt.Color("kind", scale=alt.Scale(scheme="tableau10"), title="Kind"),
            tooltip=["model_id", "params_b", "score", "energy_kwh", "energy_method"],
        )
        .properties(width=640, height=400)
    )
    score_against_energy  # noqa: B018
    return (score_against_energy,)


@app.cell
def best(basis, efficiency, mo):
    # A script cannot show a chart, so it prints a table.
    if mo.app_meta().mode == "script":
        of_basis = efficiency[efficiency["basis"] == basis.value].sort_values("score", ascending=False)
        print(of_basis.drop(columns="comparability_key").head(10).to_string(index=False))
    return


if __name__ == "__main__":
    app.run()
