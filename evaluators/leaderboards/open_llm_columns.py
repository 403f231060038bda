"""The columns of the Open LLM Leaderboard's table: their names, their types, and the file types accepted for each.

Belongs here: whole columns. Does not belong here: single values and rows (`open_llm`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from evaluators.landing.bundles import arrow_schema
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
    pa.int64(): "whole numbers, such as 1234",
    pa.float64(): "floating-point numbers, such as 1234.5",
    pa.bool_(): "true or false",
    pa.date32(): "dates, or text such as 2025-01-31",
}


def schema_problems(raw: pa.Table) -> Iterator[str]:
    """Columns that are missing, unknown, duplicate or of another type, by name."""
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
    """The values in the record's type, dates as text, an empty text as NULL; None where they cannot be converted."""
    values = column.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not _fits(values.type, wanted):
        return None
    try:
        if pa.types.is_boolean(wanted):
            return _truths(values)
        if pa.types.is_timestamp(values.type):
            days = values.cast(pa.date32())
            if pc.all(pc.equal(days.cast(values.type), values)).as_py() is False:
                return None  # times of day: their date depends on the time zone
            values = days
        values = values.cast(pa.string() if pa.types.is_date(wanted) else wanted)
    except pa.ArrowInvalid:
        return None  # a number with a fraction, or too large for 64 bits, or a time of day
    if pa.types.is_date(wanted):
        return pc.replace_substring_regex(values, _MIDNIGHT, "")
    return pc.if_else(pc.equal(values, ""), None, values) if wanted == pa.string() else values


# After a date, as pandas, JavaScript and databases write it.
_MIDNIGHT = r"[T ]00:00(:00(\.0+)?)?(Z|\+00:?00)?$"


def _truths(values: pa.Array) -> pa.Array | None:
    """Truth values, given as such, as 0 and 1 or as words; None where a value is something else."""
    if pa.types.is_boolean(values.type) or pa.types.is_null(values.type):
        return values.cast(pa.bool_())
    if _is_text(values.type):
        words, values = pa.array(["false", "true"]), pc.utf8_lower(values.cast(pa.string()))
    else:
        words, values = pa.array([0.0, 1.0]), values.cast(pa.float64())
    known = pc.is_in(values.drop_null(), value_set=words)
    return None if pc.all(known).as_py() is False else pc.equal(values, words[1])


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether the type is accepted; a number as text is not, where the format has numbers."""
    if pa.types.is_null(found):
        return True
    is_number = pa.types.is_integer(found) or pa.types.is_floating(found) or pa.types.is_decimal(found)
    if pa.types.is_integer(wanted) or pa.types.is_floating(wanted):
        return bool(is_number)
    if pa.types.is_boolean(wanted):
        return bool(pa.types.is_boolean(found) or is_number or _is_text(found))
    if pa.types.is_date(wanted):
        utc = pa.types.is_timestamp(found) and found.tz in (None, "UTC", "Etc/UTC", "+00:00")
        return bool(_is_text(found) or pa.types.is_date(found) or utc)
    return _is_text(found)


def _is_text(found: pa.DataType) -> bool:
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found))


def _described(column: pa.ChunkedArray, wanted: pa.DataType) -> str:
    """The type, and for text in place of another type the first value that cannot be converted."""
    if _is_text(column.type):
        try:
            column.cast(wanted)
        except pa.ArrowException as error:
            return f"{column.type} ({str(error).splitlines()[0]})"
    return str(column.type)
