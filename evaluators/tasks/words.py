"""The words that `generate` makes questions of. examples/short_answers.py asks about others."""

from __future__ import annotations

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
MONTHS = tuple("January February March April May June July August September October November December".split())
NAMES = tuple(
    (
        "Ann Ben Carl Dora Emma Finn Grace Henry Iris Jack Kate Leo Mary Nick Olga Paul Rose Sam Tina Victor Wendy "
        "Adam Clara David Eva Frank George Helen Ivan Julia"
    ).split()
)
EVENTS = ("party", "meeting", "lesson", "concert", "race", "visit")
LONG_EVENTS = ("birthday", "holiday", "exam", "move")
COMPARISONS = (
    ("older", "oldest"),
    ("taller", "tallest"),
    ("faster", "fastest"),
    ("stronger", "strongest"),
    ("younger", "youngest"),
)
CLASSES = {
    "animal": ("dog", "cat", "horse", "cow", "sheep", "lion", "tiger", "rabbit", "goat", "bear"),
    "fruit": ("apple", "banana", "pear", "orange", "peach", "lemon", "cherry", "grape", "plum", "mango"),
    "tool": ("hammer", "saw", "drill", "wrench", "screwdriver", "shovel", "axe", "rake"),
    "color": ("red", "blue", "green", "yellow", "purple", "brown", "pink", "black"),
    "vehicle": ("car", "bus", "train", "truck", "bicycle", "boat", "plane", "tram"),
}
ALL = tuple(word for members in CLASSES.values() for word in members)
CAPITALS = {
    "Spain": "Madrid",
    "France": "Paris",
    "Italy": "Rome",
    "Japan": "Tokyo",
    "Germany": "Berlin",
    "Austria": "Vienna",
    "Egypt": "Cairo",
    "Greece": "Athens",
    "China": "Beijing",
    "Russia": "Moscow",
    "Portugal": "Lisbon",
    "Norway": "Oslo",
    "Canada": "Ottawa",
    "Ireland": "Dublin",
    "Peru": "Lima",
    "Cuba": "Havana",
    "Poland": "Warsaw",
    "Hungary": "Budapest",
    "Finland": "Helsinki",
    "Denmark": "Copenhagen",
    "Sweden": "Stockholm",
    "Belgium": "Brussels",
    "England": "London",
    "Thailand": "Bangkok",
    "Kenya": "Nairobi",
    "Argentina": "Buenos Aires",
}
OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "up": "down",
    "day": "night",
    "black": "white",
    "good": "bad",
    "fast": "slow",
    "happy": "sad",
    "old": "new",
    "open": "closed",
    "left": "right",
    "rich": "poor",
    "early": "late",
    "true": "false",
    "full": "empty",
    "high": "low",
    "hard": "soft",
    "strong": "weak",
    "north": "south",
    "east": "west",
    "inside": "outside",
    "love": "hate",
    "war": "peace",
    "first": "last",
}
PLURALS = {
    word: f"{word}s"
    for word in (
        "cat dog book car house tree bird chair table river window apple flower cloud star ship king queen road "
        "garden teacher doctor letter village friend mountain engine bottle blanket pencil"
    ).split()
} | {"man": "men", "woman": "women", "child": "children", "foot": "feet", "tooth": "teeth", "mouse": "mice"}
PAST_TENSES = {
    word: f"{word}ed"
    for word in (
        "walk jump play look talk work open help call ask want need start turn follow answer clean cook visit pull"
    ).split()
} | {"go": "went", "see": "saw", "eat": "ate", "take": "took", "come": "came", "run": "ran", "give": "gave"}


def article(word: str) -> str:
    """The word behind its indefinite article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
