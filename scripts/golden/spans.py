"""Runs of numbers that follow each other, for tables of characters."""


def spans(numbers):
    """The first and the last of each run, of numbers in order."""
    runs = []
    for i in numbers:
        if runs and runs[-1][1] == i - 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    return runs
