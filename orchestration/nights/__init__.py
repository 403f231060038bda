"""Nights: which runs belong together, when they begin, and what is told of them in the morning.

    groups.py         a night's runs, and the one refresh after them
    schedule.py       when nights begin
    report.py         what happened in a night
    message.py        the same in lines of text, kept in a file
    notification.py   sends it
    followed.py       whether its remedies were followed
    cancellation.py   stops it

Does not belong here: Dagster's schedules and sensors (`defs`), which call this.
"""
