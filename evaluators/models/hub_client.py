"""The only connection to the hub.

The token comes from HF_TOKEN only. The client itself would retry a dead network for half a minute, and wait for a
silent one for ever. So callers make one request with a time limit first, and every further request has a limit too.
"""

from __future__ import annotations

import os
from typing import Any

TOKEN_VARIABLE = "HF_TOKEN"
TIMEOUT_S = 20.0


def connect() -> Any:
    """The hub's client, a `huggingface_hub.HfApi`."""
    from huggingface_hub import HfApi, get_session
    from huggingface_hub.utils import disable_progress_bars

    def limit(request: Any) -> None:
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)

    get_session().event_hooks["request"].append(limit)
    disable_progress_bars()  # our own bar counts the states
    return HfApi(token=os.environ.get(TOKEN_VARIABLE) or False)
