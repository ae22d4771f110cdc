"""From a review to the model's input: which words count, and how often each of the vocabulary's stands in it.

`train.py` and the handler both read reviews through this file, so that the model sees what it was trained on.
"""

import re

#: Removed without a trace, so that `don't` is `dont` and `end.Start` becomes one word.
DROPPED = str.maketrans("", "", ".;:!'?,\"()[]")
#: Become spaces: a break between paragraphs, hyphens and slashes.
SPACED = re.compile(r"<br\s*/><br\s*/>|[-/]")


def review_to_words(review):
    """The words of a review: lower-case, without punctuation, in their order."""
    return SPACED.sub(" ", review.lower().translate(DROPPED)).split()


def bow_encoding(words, vocabulary):
    """How often each word of the vocabulary stands in `words`, by its column; the others are not counted."""
    counts = {}
    for word in words:
        column = vocabulary.get(word)
        if column is not None:
            counts[column] = counts.get(column, 0) + 1
    return counts


class Rows:
    """Writes counts as lines of CSV, one number for each column.

    Nearly every column is 0, so a line starts as a copy of the one that is all zeros, where column N is byte 2N.
    """

    def __init__(self, width):
        self._zeros = bytearray(b"0," * width)[:-1]

    def line(self, counts):
        row = self._zeros[:]
        wide = []
        for column, count in counts.items():
            if count < 10:
                row[2 * column] = 48 + count
            else:
                wide.append(column)
        # From the right: what takes more than one byte moves only what lies behind it.
        for column in sorted(wide, reverse=True):
            row[2 * column : 2 * column + 1] = b"%d" % counts[column]
        return bytes(row)
