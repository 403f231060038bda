"""Tests and intervals as pure functions: how much of a question must be asked until its answer is known.

    looks.py      when an evaluation is looked at, and how much error each look may spend
    paired.py     a difference of paired answers and its standard error, as the marts have them
    mcnemar.py    the exact group-sequential McNemar test of one task: boundaries and repeated p value
    brownian.py   the same for a normal statistic: boundaries of repeated intervals and of suites
    decided.py    better, worse, equivalent, given up, or not yet decided
    suites.py     a suite's difference from its tasks, and when it is looked at
    gates.py      pass, fail or inconclusive, and how much more would decide it
    expected.py   how much will be asked, before anything is
    widths.py     the full run's own score from a part of its documents, to a width

Two questions are never mixed. `widths` is about the full run's score: the N documents are all there are, and a
statement about them shrinks to nothing once all are asked. Everything else is about quality: the documents are a sample
of such questions.

Everything here takes counts and returns numbers or codes. Does not belong here: which documents are asked
(`harness`), what is landed (`records`), energy, words for people, and any reading of files.
"""
