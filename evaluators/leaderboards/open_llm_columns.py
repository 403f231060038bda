"""The columns of the Open LLM Leaderboard's table: their names, their types, and how each type may arrive.

Belongs here: columns as a whole. Does not belong here: single values and rows (`open_llm`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from evaluators.landing import arrow_schema
from evaluators.records import LeaderboardSnapshot

# The hub dataset's columns, in its order, and the record's fields.
FIELDS: dict[str, str] = {
    "eval_name": "eval_name",
    "Precision": "precision",
    "Type": "model_type",
    "T": "model_type_symbol",
    "Weight type": "weight_type",
    "Architecture": "architecture",
    "Model": "model_html",
    "fullname": "fullname",
    "Model sha": "model_sha",
    "Average ⬆️": "average",
    "Hub License": "hub_license",
    "Hub ❤️": "hub_likes",
    "#Params (B)": "params_b",
    "Available on the hub": "available_on_hub",
    "MoE": "moe",
    "Flagged": "flagged",
    "Chat Template": "chat_template",
    "CO₂ cost (kg)": "emissions_published_kg",
    "IFEval Raw": "ifeval_raw",
    "IFEval": "ifeval",
    "BBH Raw": "bbh_raw",
    "BBH": "bbh",
    "MATH Lvl 5 Raw": "math_lvl_5_raw",
    "MATH Lvl 5": "math_lvl_5",
    "GPQA Raw": "gpqa_raw",
    "GPQA": "gpqa",
    "MUSR Raw": "musr_raw",
    "MUSR": "musr",
    "MMLU-PRO Raw": "mmlu_pro_raw",
    "MMLU-PRO": "mmlu_pro",
    "Merged": "merged",
    "Official Providers": "official_providers",
    "Upload To Hub Date": "upload_to_hub_date",
    "Submission Date": "submission_date",
    "Generation": "generation",
    "Base Model": "base_model",
}
EMISSIONS = "CO₂ cost (kg)"
OPTIONAL = frozenset({"Model"})  # HTML around fullname, which converted states lack

TYPES: dict[str, pa.DataType] = {
    name: arrow_schema(LeaderboardSnapshot).field(field).type for name, field in FIELDS.items()
}
_WORDS: dict[pa.DataType, str] = {
    pa.string(): "text",
    pa.int64(): "whole numbers",
    pa.float64(): "floating-point numbers",
    pa.bool_(): "true or false",
    pa.date32(): "dates, or text such as 2025-01-31",
}


def schema_problems(raw: pa.Table) -> Iterator[str]:
    """Columns that are missing, unknown, double or of another type, by name."""
    times = Counter(raw.column_names)
    for name in FIELDS:
        if name not in times and name not in OPTIONAL:
            yield f"column {name!r} is missing"
    for name, count in times.items():
        if count > 1:
            yield f"column {name!r} appears {count} times"
        elif name not in FIELDS:
            yield f"column {name!r} is not known"
        elif converted(raw[name], TYPES[name]) is None:
            yield f"column {name!r} is {_described(raw[name], TYPES[name])}, must be {_WORDS[TYPES[name]]}"


def converted(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.Array | None:
    """The values in the record's type, dates as text. None where the column is of another family."""
    values = column.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not _fits(values, wanted):
        return None
    try:
        return values.cast(pa.string() if pa.types.is_date(wanted) else wanted)
    except pa.ArrowInvalid:
        return None  # a number with a fraction, or too large for 64 bits


def _fits(values: pa.Array, wanted: pa.DataType) -> bool:
    found = values.type
    if pa.types.is_null(found):
        return True
    if pa.types.is_integer(wanted):
        # Pandas writes whole numbers with gaps as floating-point ones.
        return bool(pa.types.is_integer(found) or (pa.types.is_floating(found) and values.null_count))
    if pa.types.is_floating(wanted):
        return bool(pa.types.is_floating(found))
    if pa.types.is_date(wanted):
        return _is_text(found) or found == wanted
    return _is_text(found) if wanted == pa.string() else found == wanted


def _is_text(found: pa.DataType) -> bool:
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found))


def _described(column: pa.ChunkedArray, wanted: pa.DataType) -> str:
    """The type, and for text that was to be something else the first value that cannot be read so."""
    if _is_text(column.type):
        try:
            column.cast(wanted)
        except pa.ArrowException as error:
            return f"{column.type} ({str(error).splitlines()[0]})"
    return str(column.type)
