"""The classes that most properties are of, under short names, so that a table reads as a table."""

from __future__ import annotations

from alight.stacks.properties import Honoured, Neutral, Refused

TEXT, TEXTS, DOCUMENT = Honoured("text"), Honoured("texts"), Honoured("document")
WHOLE, NUMBER, FLAG, MAPPING = Honoured("whole"), Honoured("number"), Honoured("flag"), Honoured("mapping")
N = Neutral()
TAGS, N_TEXT, N_WHOLE = Neutral("tags"), Neutral("text"), Neutral("whole")
NO_OWN_KEYS = Refused("encryption with your own keys is not offered; protect the data folder's disk instead.")
