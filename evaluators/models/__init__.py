"""From an entry of the catalogue to a folder of safetensors that every engine loads.

    sources.py      where a model comes from: hub, package, folder, and adapters on it
    builds.py       what is built once: conversions, trained adapters, merges
    prepared.py     which builds exist, and which are still needed
    files.py        the files beside the weights that change a model's answers
    checks.py       problems that make a model unusable, found before it is loaded
    hub_client.py   the only connection to the hub
    hub_files.py    the files of a pinned commit, downloaded or from the hub's cache
    hub_cache.py    what the hub's cache holds, and freeing it

Does not belong here: how a model answers (`engines`), or what it is asked (`harness`).
"""
