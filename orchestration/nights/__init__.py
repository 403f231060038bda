"""Nights: which runs belong together, when they start, and the message about each.

    groups.py         a night's runs, and the one refresh after them
    schedule.py       when nights begin
    report.py         finds out what happened in a night
    message.py        the message: lines of text, kept in a file
    notification.py   sends it
    followed.py       whether its remedies were followed
    cancellation.py   cancels it

Does not belong here: Dagster's schedules and sensors (`defs`), which call this.
"""
