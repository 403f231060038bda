"""`python -m evaluators SPEC.json`: run one evaluation. Exit 0 completed, 1 failed, 2 usage error, 128 + signal."""

from __future__ import annotations

import sys
from pathlib import Path

from evaluators import environment


def main(arguments: list[str]) -> int:
    """Run the spec that the only argument names."""
    from evaluators.spec import SpecError, read

    if len(arguments) != 1:
        print("usage: python -m evaluators SPEC.json", file=sys.stderr)
        return 2
    try:
        spec = read(Path(arguments[0]))
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    from evaluators.harness.interruption import Interrupted
    from evaluators.process.run import evaluate

    try:
        summary = evaluate(spec)
    except Interrupted as error:
        print(f"{spec.model.name}: {error}; what was finished is kept", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print(f"{spec.model.name}: {error}", file=sys.stderr)
        return 1
    if summary.reason is not None:
        print(f"{spec.model.name}: {summary.reason}", file=sys.stderr)
    return 0 if summary.status == "completed" else 1


if __name__ == "__main__":
    environment.prepare()
    from evaluators.process.guard import guarded
    from evaluators.redaction import standard_streams_redacted

    with guarded(), standard_streams_redacted():
        sys.exit(main(sys.argv[1:]))
